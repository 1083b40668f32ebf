"""`python -m demo.regions` plays the demo of three regions; it takes root, for namespaces."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from demo import playing
from demo.hosts import Hosts
from demo.narrator import Narrator
from demo.processes import ENDS_WITH_US, Processes
from demo.regions.story import Story


async def play() -> int:
    """Play the story, then remove everything, whatever comes in between; return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="regions-"))
    (folder / "hosts").mkdir()
    processes, hosts = Processes(folder, before=ENDS_WITH_US), Hosts(folder / "hosts")

    async def clear() -> list[str]:
        # what runs on the network of a host goes before the host
        await processes.end()
        try:
            return await hosts.clear()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return await playing.play(Story(Narrator(), processes, hosts).tell(), processes, clear)


if __name__ == "__main__":
    sys.exit(asyncio.run(play()))

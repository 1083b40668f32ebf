"""`python -m demo` plays the demo, `python -m demo stop` ends one that was left running with KEEP=1.

THEN="command" is run as the tenant before it deletes its deployment.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from demo import playing, world
from demo.narrator import Narrator
from demo.processes import DemoFailed, Processes
from demo.story import Story


async def play(must_keep: bool) -> int:
    """Play the story, then remove everything, whatever comes in between; return the exit code."""
    if must_keep:
        world.check_none_kept()
    processes = Processes(Path(tempfile.mkdtemp(prefix="moorage-demo-")))
    story = Story(Narrator(), processes, must_keep, os.environ.get("THEN", ""))

    def keep() -> bool:
        if must_keep and story.engine is not None:
            world.keep(processes, story.engine, story.chain_id)
            return True
        return False

    return await playing.play(story.tell(), processes, lambda: world.clear(processes, story.engine), keep)


def main() -> None:
    must_keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        if sys.argv[1:] == ["stop"]:
            print(asyncio.run(world.stop_kept()))
            return
        sys.exit(asyncio.run(play(must_keep)))
    except DemoFailed as error:
        sys.exit(f"demo: {error}")


if __name__ == "__main__":
    main()

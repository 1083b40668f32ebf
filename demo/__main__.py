"""`python -m demo` plays the demo, `python -m demo stop` ends one that was left running with KEEP=1."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from demo import world
from demo.narrator import Narrator
from demo.processes import DemoFailed, Processes
from demo.story import Story
from moorage.chain.rpc import ChainError


async def play(must_keep: bool) -> int:
    """Play the story, then remove everything; return the exit code."""
    processes = Processes(Path(tempfile.mkdtemp(prefix="moorage-demo-")))
    story = Story(Narrator(), processes, must_keep)
    is_kept = False
    code = 1
    try:
        await story.tell()
        is_kept, code = must_keep, 0
    except (DemoFailed, ChainError) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        for name in processes.running:
            print(f"--- end of {name}.log", file=sys.stderr)
            print("\n".join(processes.log(name).read_text(errors="replace").splitlines()[-8:]), file=sys.stderr)
    except asyncio.CancelledError:
        print("\ninterrupted: clearing up", file=sys.stderr)
        code = 130
    finally:
        if not is_kept:
            left = await world.clear(processes, story.engine)
            print(f"   left on the machine: {', '.join(left) if left else 'nothing'}", flush=True)
            code = code or (1 if left else 0)
    return code


async def interruptible(must_keep: bool) -> int:
    """Play so that SIGINT and SIGTERM clear up too."""
    playing = asyncio.ensure_future(play(must_keep))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)
    return await playing


def main() -> None:
    if sys.argv[1:] == ["stop"]:
        print(asyncio.run(world.stop_kept()))
        return
    sys.exit(asyncio.run(interruptible(os.environ.get("KEEP", "") not in ("", "0"))))


if __name__ == "__main__":
    main()

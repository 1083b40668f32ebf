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
    """Play the story, then remove everything, whatever comes in between; return the exit code."""
    if must_keep:
        world.check_none_kept()
    processes = Processes(Path(tempfile.mkdtemp(prefix="moorage-demo-")))
    story = Story(Narrator(), processes, must_keep)
    # only the telling can be interrupted: signals never reach the clearing up
    telling = asyncio.ensure_future(story.tell())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _interrupt, telling)
    is_kept = False
    code = 1
    try:
        await telling
        if must_keep and story.engine is not None:
            world.keep(processes, story.engine, story.chain_id)
            is_kept = True
        code = 0
    except (DemoFailed, ChainError) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        _show_logs(processes)
    except asyncio.CancelledError:
        code = 130
    finally:
        if not is_kept:
            left = await world.clear(processes, story.engine)
            print(f"   left on the machine: {', '.join(left) if left else 'nothing'}", flush=True)
            code = code or (1 if left else 0)
    return code


def _interrupt(telling: asyncio.Future[None]) -> None:
    print("\nclearing up, please wait", file=sys.stderr, flush=True)
    if not telling.done():
        telling.cancel()


def _show_logs(processes: Processes) -> None:
    for name in processes.running:
        print(f"--- end of {name}.log", file=sys.stderr)
        print("\n".join(processes.log(name).read_text(errors="replace").splitlines()[-8:]), file=sys.stderr)


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

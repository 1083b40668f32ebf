"""Plays a story and clears up after it, whatever comes in between."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from demo.processes import DemoFailed, Processes
from moorage.chain.rpc import ChainError


async def play(
    telling: Coroutine[Any, Any, None],
    processes: Processes,
    clear: Callable[[], Awaitable[list[str]]],
    keep: Callable[[], bool] = lambda: False,
) -> int:
    """Play a story, then remove everything; return the exit code.

    Args:
        telling: the story.
        processes: the programs that it starts, whose logs are shown when it fails.
        clear: removes everything, and returns what is left all the same.
        keep: says, once the story is told, that all shall go on; nothing is removed then.
    """
    # only the telling can be interrupted: signals never reach the clearing up
    task = asyncio.ensure_future(telling)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _interrupt, task)
    is_kept = False
    code = 1
    try:
        await task
        is_kept = keep()
        code = 0
    except (DemoFailed, ChainError) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        _show_logs(processes)
    except asyncio.CancelledError:
        code = 130
    finally:
        if not is_kept:
            left = await clear()
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

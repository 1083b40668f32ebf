"""What daemons do on signals: SIGTERM and SIGINT end them in good order, SIGUSR1 has them tell where they stand."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Iterator
from typing import Any

import structlog

ENDING = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM or SIGINT sets; a second one ends the process at once. Call it in the running loop.

    What is signed is in the journal before it is sent, so that an end at once loses nothing but time.
    """
    stop = asyncio.Event()
    running = asyncio.get_running_loop()

    def end() -> None:
        for number in ENDING:
            running.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # the kernel's own: it works for a loop that hangs, too
        log.info("ending", remedy="a second signal ends it at once")
        stop.set()

    for number in ENDING:
        running.add_signal_handler(number, end)
    return stop


def tell_on_signal() -> None:
    """On SIGUSR1 write where each thread and each task stands, without any values. Call it in the running loop.

    Threads are told by the interpreter itself, on stderr: also by a process whose loop hangs.
    """
    running = asyncio.get_running_loop()
    running.add_signal_handler(signal.SIGUSR1, _tell_tasks)
    # after asyncio's own handler, which it calls in turn
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True, chain=True)


def _tell_tasks() -> None:
    tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
    for task in tasks:
        log.info("task", name=task.get_name(), at=list(_places(task.get_coro())))
    log.info("tasks told", count=len(tasks))


def _places(awaited: Any) -> Iterator[str]:
    """Yield where a coroutine waits, and what it waits for in turn."""
    while awaited is not None:
        frame = next(
            (each for name in ("cr_frame", "gi_frame", "ag_frame") if (each := getattr(awaited, name, None))), None
        )
        if frame is None:
            return
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"
        names = ("cr_await", "gi_yieldfrom", "ag_await")
        awaited = next((each for name in names if (each := getattr(awaited, name, None))), None)

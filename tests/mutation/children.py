"""Work done in forked children, a few at a time: each has all that is loaded here, and what it breaks ends with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

FORK = multiprocessing.get_context("fork")
Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Task, Result]):
    """What has come of a task: a result, or nothing if its child took too long or has died."""

    task: Task
    result: Result | None
    seconds: float
    is_late: bool = False


@dataclass(frozen=True)
class _Child(Generic[Task]):
    task: Task
    process: BaseProcess
    started: float


def in_children(
    tasks: Iterable[Task], work: Callable[[Task], Result], processes: int, limit_seconds: float
) -> Iterator[Done[Task, Result]]:
    """Yield what comes of each task, in the order in which they get done; a task is asked for when it can begin.

    Children may have children of their own, which end with them.
    """
    is_outermost = multiprocessing.parent_process() is None
    waiting = iter(tasks)
    running: dict[Connection, _Child[Task]] = {}
    try:
        while True:
            for task in islice(waiting, processes - len(running)):
                receiver, sender = FORK.Pipe(duplex=False)
                process = FORK.Process(target=_child, args=(work, task, sender))
                process.start()
                if is_outermost:
                    os.setpgid(process.pid or 0, process.pid or 0)
                sender.close()
                running[receiver] = _Child(task, process, time.monotonic())
            if not running:
                return
            ready = {each for each in wait(list(running), timeout=1) if isinstance(each, Connection)}
            for receiver, child in list(running.items()):
                seconds = time.monotonic() - child.started
                if receiver in ready:
                    del running[receiver]
                    yield Done(child.task, _received(receiver), seconds)
                    child.process.join()
                elif seconds > limit_seconds:
                    del running[receiver]
                    _end(child.process)
                    yield Done(child.task, None, seconds, is_late=True)
    finally:
        for child in running.values():
            _end(child.process)


def _child(work: Callable[[Task], Result], task: Task, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    sender.send(work(task))
    sender.close()


def _received(receiver: Connection) -> Result | None:  # type: ignore[type-var]
    try:
        return receiver.recv()  # type: ignore[no-any-return]
    except EOFError:
        return None
    finally:
        receiver.close()


def _end(process: BaseProcess) -> None:
    with suppress(ProcessLookupError):  # a child's child is in the group of its parent
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()
    process.join()

"""Faults of logs: withheld, given twice, out of order, made up, or taken back. Answers and pushes alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.chaos.fault import LOG_PUSH, Answer, Call, Fault, Forward, Frame, Node, only, result

Log = dict[str, Any]
FORGED_WORD = f"0x{'f0' * 32}"


class LogFault(Fault):
    """Changes lists of logs; those with other first topics than the given are left alone."""

    methods = only("eth_getLogs", LOG_PUSH)

    def __init__(self, *topics: bytes) -> None:
        """
        Args:
            topics: of the events that it is about; none is all of them.
        """
        self._topics = {f"0x{topic.hex()}" for topic in topics}

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        answer = await forward(call)
        return result(self.change(answer["result"])) if "result" in answer else answer

    def push(self, frame: Frame) -> list[Frame]:
        return [_frame_with(frame, each) for each in self.change([frame["params"]["result"]])]

    def change(self, logs: list[Log]) -> list[Log]:
        """Return what a client is told in place of these logs."""
        raise NotImplementedError

    def is_meant(self, log: Log) -> bool:
        return not self._topics or log["topics"][0] in self._topics


class Drop(LogFault):
    """Withholds logs."""

    def change(self, logs: list[Log]) -> list[Log]:
        return [log for log in logs if not self.is_meant(log)]


class Duplicate(LogFault):
    """Gives logs twice."""

    def change(self, logs: list[Log]) -> list[Log]:
        return [log for log in logs for _ in range(1 + self.is_meant(log))]


class Reorder(LogFault):
    """Gives logs backwards."""

    def change(self, logs: list[Log]) -> list[Log]:
        return logs[::-1]


class Forge(LogFault):
    """Adds a copy of the newest log about something that does not exist; `edit` says otherwise what is made up."""

    def __init__(self, *topics: bytes, edit: Callable[[Log], None] | None = None) -> None:
        super().__init__(*topics)
        self._edit = edit or _about_nothing

    def change(self, logs: list[Log]) -> list[Log]:
        meant = [log for log in logs if self.is_meant(log)]
        if not meant:
            return logs
        forged = copy.deepcopy(meant[-1])
        self._edit(forged)
        return [*logs, forged]


class RemovedLogs(LogFault):
    """Each log is followed by its revocation, as after a reorganisation that the chain itself never had."""

    def change(self, logs: list[Log]) -> list[Log]:
        return [each for log in logs for each in ((log, log | {"removed": True}) if self.is_meant(log) else (log,))]


def _frame_with(frame: Frame, log: Log) -> Frame:
    return frame | {"params": frame["params"] | {"result": log}}


def _about_nothing(log: Log) -> None:
    log["topics"][1:2] = [FORGED_WORD]

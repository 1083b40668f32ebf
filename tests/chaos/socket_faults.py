"""Faults of a WebSocket that is open: it breaks again and again, or says nothing any more."""

from __future__ import annotations

from tests.chaos.fault import HEAD_PUSH, LOG_PUSH, Cut, Fault, Frame, only

PUSHES = only(HEAD_PUSH, LOG_PUSH)


class CutSocket(Fault):
    """Breaks the connection in place of each n-th push."""

    methods = PUSHES

    def __init__(self, frames: int = 3) -> None:
        self._frames = frames
        self._pushed = 0

    def push(self, frame: Frame) -> list[Frame]:
        self._pushed += 1
        if self._pushed % self._frames == 0:
            raise Cut
        return [frame]


class SilentSocket(Fault):
    """Stays open, answers calls, and pushes nothing."""

    methods = PUSHES

    def push(self, frame: Frame) -> list[Frame]:
        return []

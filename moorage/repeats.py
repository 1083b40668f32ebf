"""Which lines of logs have been told, when a log is read again from a time on.

Times are moorage.streams.TIME. Several lines may have one time, and a clock may be set back: the lines that come again
are known by being the first ones, and what follows them in the same reading is new whatever its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

Log = TypeVar("Log")


class Repeats(Generic[Log]):
    """The lines that come again of each log at the beginning of one reading."""

    def __init__(self, newest: Iterable[tuple[Log, str, int]] = ()) -> None:
        """
        Args:
            newest: logs, the newest time of each that was told, and how many lines have it.
        """
        self._left = {log: (time, count) for log, time, count in newest}

    def has(self, log: Log, time: str) -> bool:
        """Return whether the next line of a log was told before; to be asked once for each line, in their order."""
        newest, count = self._left.get(log, ("", 0))
        if time < newest:
            return True
        if time == newest and count:
            self._left[log] = newest, count - 1
            return True
        self._left.pop(log, None)
        return False


class Told(Generic[Log]):
    """The newest lines that were told."""

    def __init__(self) -> None:
        self._newest: dict[Log, tuple[str, int]] = {}

    def add(self, log: Log, time: str) -> None:
        """Note that a line is told."""
        newest, count = self._newest.get(log, ("", 0))
        if time >= newest:
            self._newest[log] = time, (count + 1 if time == newest else 1)

    def times(self) -> dict[Log, str]:
        """Return the newest time of each log."""
        return {log: time for log, (time, _) in self._newest.items()}

    def again(self) -> Repeats[Log]:
        """Return what comes again if the logs are read from these times, or from earlier ones on."""
        return Repeats((log, time, count) for log, (time, count) in self._newest.items())

"""Tells systemd that the daemon is ready and alive (sd_notify(3)), and ends a process whose loop hangs.

The process watches itself too, for supervisors that do not: a thread of the interpreter writes where everything hangs,
without any values, and ends it. A crash of native code is told in the same way. What was sent is in the journal, so a
restart goes on.
"""

from __future__ import annotations

import faulthandler
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

VARIABLE = "NOTIFY_SOCKET"
LIMIT_SECONDS = 120.0
"""A daemon whose loop gives no sign of life for so long ends itself. That is longer than a cycle may take
(moorage.cycles.CYCLE_SECONDS), and shorter than WatchdogSec of the units in deploy/systemd: the process says where it
hangs before systemd, which waits for the same signs, ends it without a word."""


class Watchdog:
    """Use as a context manager around the loop; call `alive` in each cycle."""

    def __init__(self, limit_seconds: float, environment: Mapping[str, str] = os.environ) -> None:
        """
        Args:
            limit_seconds: how long a cycle may take at most; above every time-out within one.
        """
        self._limit_seconds = limit_seconds
        self._address = _address(environment.get(VARIABLE, ""))

    def __enter__(self) -> Watchdog:
        faulthandler.enable()
        self.alive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faulthandler.cancel_dump_traceback_later()
        self._tell("STOPPING=1")

    def ready(self, status: str) -> None:
        """Say that the start is over; `status` is what `systemctl status` shows."""
        self._tell(f"READY=1\nSTATUS={' '.join(status.split())}")

    def alive(self, status: str | None = None) -> None:
        """Say that the loop turns, and put off the end of the process."""
        faulthandler.dump_traceback_later(self._limit_seconds, exit=True)
        self._tell("WATCHDOG=1" if status is None else f"WATCHDOG=1\nSTATUS={' '.join(status.split())}")

    def _tell(self, message: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.setblocking(False)  # a supervisor that does not read must not hang the daemon
            notifier.sendto(message.encode(), self._address)


def _address(written: str) -> str | None:
    """Return the socket's address: a path, or a name in the abstract namespace, which begins with an @."""
    if written.startswith("@"):
        return f"\0{written[1:]}"
    return written if written.startswith("/") else None

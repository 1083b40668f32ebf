"""What agent and tenant say to each other in streams, as values: lines of logs, and commands that run.

How it is written on the wire is in moorage.stream_api.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Annotated

import msgspec

from moorage.manifest import NAME_PATTERN

ALIVE_SECONDS = 15.0
"""So often each side says that it is there."""
SILENCE_SECONDS = 60.0
"""Who has said nothing for so long is gone."""
LONGEST_SECONDS = 3_600.0
"""A log is told for so long; a client that follows it asks again, with a new signature."""
MAX_TEXT_BYTES = 16_384
"""Of a line of a log; the rest of it is left out."""
MAX_TAIL = 1_000_000
MAX_REPLICA = 9_999
NAME = re.compile(NAME_PATTERN)
"""Of a workload."""
TIME = re.compile(r"(?:19[7-9][0-9]|[2-9][0-9]{3})-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{9}Z")
"""RFC 3339 in UTC with nanoseconds, from 1970 on: in this one form the order of texts is the order of times."""


def is_time(text: str) -> bool:
    """Return whether a text is a TIME, of a day that there is."""
    try:
        return TIME.fullmatch(text) is not None and datetime.fromisoformat(text[:19]) is not None
    except ValueError:
        return False


class Source(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


class LogLine(msgspec.Struct, frozen=True, tag_field="kind", tag="line"):
    """What a container has written, up to the end of the line."""

    time: str
    workload: str
    replica: Annotated[int, msgspec.Meta(ge=0, le=MAX_REPLICA)]
    stream: Source
    text: str
    is_cut: bool = False
    """Whether the line was longer."""


class CaughtUp(msgspec.Struct, frozen=True, tag_field="kind", tag="now"):
    """All that was there has been sent, in order; what follows comes as it is written."""


class Alive(msgspec.Struct, frozen=True, tag_field="kind", tag="alive"):
    """Nothing has happened."""


class Ended(msgspec.Struct, frozen=True, tag_field="kind", tag="end"):
    """The last record; without it the stream has broken off."""

    reason: str | None = None
    """Why it ends; None: everything that was asked for has been sent."""
    is_retryable: bool = False


Record = LogLine | CaughtUp | Alive | Ended


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines of a lease's workloads are wanted."""

    workload: str | None = None
    replica: int | None = None
    tail: int | None = None
    """So many of each replica, the last ones; None: all."""
    since: str | None = None
    """From this TIME on."""
    is_following: bool = False

    def wants(self, workload: str, replica: int) -> bool:
        """Return whether lines of a replica are wanted."""
        return self.workload in (None, workload) and self.replica in (None, replica)


class Channel(IntEnum):
    """What a message of a running command is, by its first byte."""

    STDIN = 0
    """An empty one is the end of the input."""
    STDOUT = 1
    STDERR = 2
    SIZE = 3
    """A TerminalSize."""
    ALIVE = 4
    END = 5
    """An ExecEnd, the agent's last message."""


class TerminalSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    columns: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class ExecRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command to run beside the one that a container was made for."""

    workload: str
    command: Annotated[tuple[Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")], ...], msgspec.Meta(min_length=1)]
    replica: Annotated[int, msgspec.Meta(ge=0, le=MAX_REPLICA)] = 0
    has_input: bool = False
    terminal: TerminalSize | None = None
    """None: no terminal, and standard output and error come apart."""


class ExecEnd(msgspec.Struct, frozen=True):
    """How a command has ended, or why nothing is known of that; with both it was never started."""

    code: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    reason: str | None = None

"""How a line of a log is shown, and from where on a log is to be read after a break."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from cli.core.view import Attempt, DeploymentView, full
from moorage import repeats
from moorage.streams import LogLine, LogQuery
from moorage.terminal_text import plain_line
from moorage.types import OrderId, OrderState, ProviderNumber

COLOURS = (36, 33, 32, 35, 34, 31)
"""Of a terminal (ECMA-48, SGR), for the names of those who write."""
CUT = " [cut]"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OVERLAP = timedelta(seconds=5)
"""Replicas are not told in the order of their times: so much is read again, and not told again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A lease whose workloads may write."""

    lease: OrderId
    provider: ProviderNumber
    datacenter: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line, and from where it comes."""

    place: Place
    line: LogLine


@dataclass(frozen=True, slots=True)
class Style:
    has_workload: bool
    """Whether it is said who has written a line."""
    has_datacenter: bool
    has_time: bool
    has_colour: bool


def places(view: DeploymentView) -> tuple[Place, ...]:
    """Return where workloads run, or may still be."""
    return tuple(
        Place(attempt.id, attempt.lease.provider, attempt.group.name)
        for attempt in view.current
        if attempt.lease is not None and attempt.state in (OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING)
    )


def style(view: DeploymentView, query: LogQuery, *, has_time: bool, has_colour: bool) -> Style:
    """Return how lines are shown: nobody is named where only one can have written them."""
    live = [attempt for attempt in view.current if attempt.is_live]
    several_places = len(live) > 1
    is_one_alone = sum(map(_containers, live)) <= 1 or (query.workload is not None and query.replica is not None)
    return Style(several_places or not is_one_alone, several_places, has_time, has_colour)


def shown(entry: Entry, style: Style) -> str:
    """Return a line for a person: nothing in it can drive a terminal or pass for another line."""
    line = entry.line
    datacenter = f"{entry.place.datacenter}/" if style.has_datacenter else ""
    name = f"{datacenter}{line.workload}-{line.replica}"
    if style.has_colour:
        name = f"\x1b[{COLOURS[crc32(name.encode()) % len(COLOURS)]}m{name}\x1b[0m"
    parts = [*([f"{name} |"] if style.has_workload else []), *([line.time] if style.has_time else [])]
    return " ".join([*parts, plain_line(line.text)]) + (CUT if line.is_cut else "")


def document(entry: Entry) -> dict[str, Any]:
    """Return the same for programs, with the text as it was written."""
    line = entry.line
    return {
        "time": line.time,
        "datacenter": entry.place.datacenter,
        "lease": full(entry.place.lease),
        "workload": line.workload,
        "replica": line.replica,
        "stream": line.stream.value,
        "text": line.text,
        "cut": line.is_cut,
    }


class Told:
    """Which lines of a lease were told: of each stream up to its last, and none from before those that were wanted.

    Only the times of one stream are in order: standard output and error are written down by two hands.
    """

    def __init__(self) -> None:
        self._earliest: dict[tuple[str, int], str] = {}
        self._floors: dict[tuple[str, int], str] = {}
        """Of each replica, the earliest that was told before this request."""
        self._told: repeats.Told[tuple[str, int, str]] = repeats.Told()
        self._again = self._told.again()

    def add(self, line: LogLine) -> None:
        """Note that a line is told."""
        replica = line.workload, line.replica
        self._earliest[replica] = min(line.time, self._earliest.get(replica, line.time))
        self._told.add((*replica, line.stream), line.time)

    def is_new(self, line: LogLine) -> bool:
        """Return whether a line is to be told; to be asked once for each line of a request."""
        floor = self._floors.get((line.workload, line.replica), "")
        return line.time >= floor and not self._again.has((line.workload, line.replica, line.stream), line.time)

    def resumed(self, query: LogQuery) -> LogQuery:
        """Return the query of the next request, with which to go on."""
        self._floors = dict(self._earliest)
        self._again = self._told.again()
        times = self._told.times().values()
        if not times:
            return query
        newest = datetime.fromisoformat(max(times)[:19] + "+00:00")
        return replace(query, tail=None, since=max(time_text(max(newest - OVERLAP, EPOCH)), query.since or ""))


def time_text(moment: datetime) -> str:
    """Return a moorage.streams.TIME."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _containers(attempt: Attempt) -> int:
    return sum(resource.count for resource in attempt.group.resources)

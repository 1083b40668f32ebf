"""What `moorage logs` shows, and that it goes on over breaks without telling a line twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cli import log_reader
from cli.core.log_lines import Entry, Place, Style, Told, document, places, shown, style
from cli.log_reader import LogReader
from moorage.agent_client import AgentUnreachable
from moorage.chain.rpc import NodeUnavailable
from moorage.streams import CaughtUp, Ended, LogLine, LogQuery, Record, Source
from moorage.types import DeploymentState, OrderId, OrderState, ProviderNumber
from tests.factories.deployments import DEPLOYMENT, attempt, group, lease, view
from tests.unit.test_terminal_text import FORBIDDEN

DOCK = Place(OrderId(b"\x01" * 32), ProviderNumber(1), "dock")
EAST = Place(OrderId(b"\x02" * 32), ProviderNumber(2), "east")
BARE = Style(has_workload=False, has_datacenter=False, has_time=False, has_colour=False)
FULL = Style(has_workload=True, has_datacenter=True, has_time=True, has_colour=False)


FOLLOW = LogQuery(tail=100, is_following=True)


def line(number: int, text: str = "", replica: int = 0, stream: Source = Source.STDOUT) -> LogLine:
    time = f"2026-01-02T03:{number // 60:02}:{number % 60:02}.000000000Z"
    return LogLine(time, "web", replica, stream, text or f"line {number}")


def test_shown__with_everything__names_place_and_time() -> None:
    cut = LogLine("2026-01-02T03:04:05.000000006Z", "web", 1, Source.STDERR, "a", is_cut=True)

    assert shown(Entry(DOCK, cut), FULL) == "dock/web-1 | 2026-01-02T03:04:05.000000006Z a [cut]"
    assert shown(Entry(DOCK, cut), BARE) == "a [cut]"


def test_h18_shown__line_that_poses_as_another__is_one_line_of_its_own() -> None:
    evil = line(1, "\x1b[1A\x1b[2Kdb-0 | fine\r\ndb-0 | fine\u202e\x1b]0;x\x07")

    text = shown(Entry(DOCK, evil), replace(BARE, has_workload=True))

    assert text.startswith("web-0 | db-0 | fine db-0 | fine")
    assert not FORBIDDEN.search(text) and "\n" not in text


def test_shown__in_colour__is_only_the_name() -> None:
    text = shown(Entry(DOCK, line(1, "a")), replace(BARE, has_workload=True, has_colour=True))

    assert text.startswith("\x1b[3") and text.endswith("mweb-0\x1b[0m | a")


def test_document__line__is_as_it_was_written() -> None:
    assert document(Entry(DOCK, line(5, "\x1b[0m"))) == {
        "time": "2026-01-02T03:00:05.000000000Z",
        "datacenter": "dock",
        "lease": "0x" + "01" * 32,
        "workload": "web",
        "replica": 0,
        "stream": "stdout",
        "text": "\x1b[0m",
        "cut": False,
    }


def test_told__something_was__goes_on_a_little_before_its_end() -> None:
    query = LogQuery(tail=10, since="2026-01-02T03:00:00.000000000Z", is_following=True)
    told = Told()

    assert told.resumed(query) == query
    told.add(line(2))
    assert told.resumed(query) == replace(query, tail=None)
    told.add(line(60))
    told.add(line(30, replica=1))
    assert told.resumed(query) == replace(query, tail=None, since="2026-01-02T03:00:55.000000000Z")


def test_told__line_before_the_first_that_was_wanted__stays_untold() -> None:
    told = Told()
    told.add(line(58))
    assert told.is_new(line(57, stream=Source.STDERR))  # of the same request: two hands write

    told.resumed(FOLLOW)

    assert not told.is_new(line(57)) and not told.is_new(line(58))
    assert not told.is_new(line(57, stream=Source.STDERR))
    assert told.is_new(line(58, stream=Source.STDERR)) and told.is_new(line(59))
    assert told.is_new(line(1, replica=1))


def test_told__lines_of_one_time_and_a_clock_that_is_set_back__are_new_once() -> None:
    told = Told()
    for each in (line(5), line(5), line(3)):
        assert told.is_new(each)
        told.add(each)

    told.resumed(FOLLOW)

    assert [told.is_new(line(number)) for number in (4, 5, 5, 5, 4)] == [False, False, False, True, True]


def test_told__line_of_the_first_second_there_is__goes_on_from_there() -> None:
    told = Told()
    told.add(LogLine("1970-01-01T00:00:00.000000000Z", "web", 0, Source.STDOUT, ""))

    assert told.resumed(FOLLOW).since == "1970-01-01T00:00:00.000000000Z"


@dataclass
class Agents:
    """Agents that answer from a list, one request after the other; an exception breaks the answer off."""

    answers: dict[OrderId, list[Any]]
    """Of each lease, lists of records and exceptions."""
    asked: list[tuple[OrderId, LogQuery]] = field(default_factory=list)
    following: set[OrderId] = field(default_factory=set)
    """Leases of which somebody waits for more."""

    async def logs(self, agent: Any, lease: OrderId, query: LogQuery) -> AsyncGenerator[Record, None]:
        self.asked.append((lease, query))
        answers = self.answers.get(lease, [])
        for each in answers.pop(0) if answers else []:
            if isinstance(each, Exception):
                raise each
            yield each
        if query.is_following and not answers:
            self.following.add(lease)
            try:
                await asyncio.Event().wait()
            finally:
                self.following.remove(lease)


class Book:
    def __init__(self) -> None:
        self.forgotten: list[int] = []

    async def find(self, provider: ProviderNumber) -> object:
        return provider

    def forget(self, provider: ProviderNumber) -> None:
        self.forgotten.append(provider)


@dataclass
class Views:
    """What the chain has, look after look; the last one stays."""

    views: list[Any]

    async def block_number(self) -> int:
        return 0

    async def view(self, _: object) -> Any:
        found = self.views.pop(0) if len(self.views) > 1 else self.views[0]
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class Run:
    agents: Agents
    query: LogQuery = FOLLOW
    shown: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    book: Book = field(default_factory=Book)

    @property
    def reader(self) -> LogReader:
        return LogReader(self.agents, self.book, self.query, self._show, self.told.append)  # type: ignore[arg-type]

    def _show(self, entry: Entry) -> None:
        self.shown.append(f"{entry.place.datacenter} {entry.line.text}")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(log_reader, "LONGEST_PAUSE_DOUBLINGS", -7)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_places__leases_that_may_have_containers__are_those() -> None:
    found = view(
        attempt(name="a"),
        attempt(OrderState.LEASE_CLOSING, 1, name="b"),
        attempt(OrderState.LEASE_CLOSED, 2, name="c"),
        attempt(OrderState.OPEN, 3, name="d"),
    )

    assert [each.datacenter for each in places(found)] == ["a", "b"]


def test_style__only_one_can_have_written_it__names_nobody() -> None:
    def names(found: Any, query: LogQuery = LogQuery()) -> tuple[bool, bool]:  # noqa: B008
        look = style(found, query, has_time=False, has_colour=False)
        return look.has_workload, look.has_datacenter

    one, two = view(attempt()), view(attempt(group=group(count=2)))

    assert names(one) == (False, False)
    assert names(two) == (True, False)
    assert names(two, LogQuery("web")) == (True, False)
    assert names(two, LogQuery("web", 1)) == (False, False)
    assert names(view(attempt(), attempt(nonce=1, name="b")), LogQuery("web", 1)) == (True, True)


async def test_read__two_datacenters__are_merged_by_time() -> None:
    east = [line(2), line(3), CaughtUp(), Ended()]
    run = Run(Agents({DOCK.lease: [[line(1), line(4), Ended()]], EAST.lease: [east]}))

    await run.reader.read([DOCK, EAST])

    assert run.shown == ["dock line 1", "east line 2", "east line 3", "dock line 4"]


async def test_read__one_agent_is_away__shows_the_others_and_remembers_it() -> None:
    east = [line(1), Ended("the engine is gone")]
    run = Run(Agents({DOCK.lease: [[AgentUnreachable("nobody")]], EAST.lease: [east]}))
    reader = run.reader

    await reader.read([DOCK, EAST])

    assert run.shown == ["east line 1"]
    assert reader.failures == [
        "dock: no logs from provider 1: nobody",
        "east: no logs from provider 2: the engine is gone",
    ]


def leased(*found: Place, is_over: bool = False) -> Any:
    attempts = (
        attempt(id=each.lease, name=each.datacenter, lease=lease(each.lease, provider=each.provider)) for each in found
    )
    return view(*attempts, **({"state": DeploymentState.CLOSING} if is_over else {"live_groups": 1}))


async def test_follow__agent_breaks_off__goes_on_and_tells_no_line_twice() -> None:
    known = [line(60), line(61, stream=Source.STDERR), line(60, replica=1)]
    answers = [[*known, AgentUnreachable("cut")], [AgentUnreachable("still")], [*known, line(62), CaughtUp()]]
    run = Run(Agents({DOCK.lease: answers}))

    following = asyncio.create_task(run.reader.follow(DEPLOYMENT, Views([leased(DOCK)])))
    await until(lambda: len(run.shown) == 4)
    following.cancel()

    assert run.shown == ["dock line 60", "dock line 61", "dock line 60", "dock line 62"]
    assert run.told == ["dock: provider 1 is away, trying again: cut", "dock: provider 1 is there again"]
    assert [each.since for _, each in run.agents.asked] == [None, *["2026-01-02T03:00:56.000000000Z"] * 2]
    assert run.book.forgotten == [1, 1]


async def test_follow__lease_moves_to_another_provider__follows_it_there() -> None:
    moved = Place(EAST.lease, ProviderNumber(2), "dock")
    run = Run(Agents({DOCK.lease: [[line(1)]], moved.lease: [[line(2)]]}))

    following = asyncio.create_task(
        run.reader.follow(DEPLOYMENT, Views([leased(DOCK), NodeUnavailable("silent"), leased(), leased(moved)]))
    )
    await until(lambda: len(run.shown) == 2 and run.agents.following == {moved.lease})
    following.cancel()

    assert run.shown == ["dock line 1", "dock line 2"]
    assert run.told == ["silent; going on with what is known", "dock: the lease with provider 1 is over"]


async def test_follow__as_long_as_it_may__asks_again_and_says_nothing() -> None:
    run = Run(Agents({DOCK.lease: [[line(60), Ended("long enough", is_retryable=True)], [line(60), line(61)]]}))

    following = asyncio.create_task(run.reader.follow(DEPLOYMENT, Views([leased(DOCK)])))
    await until(lambda: len(run.shown) == 2)
    following.cancel()

    assert (run.shown, run.told) == (["dock line 60", "dock line 61"], [])


async def test_follow__deployment_ends__ends() -> None:
    run = Run(Agents({DOCK.lease: [[line(1)]]}))

    await run.reader.follow(DEPLOYMENT, Views([leased(DOCK), leased(is_over=True)]))

    assert run.told == ["dock: the lease with provider 1 is over"]


async def test_follow__output_is_closed__ends_with_that() -> None:
    run = Run(Agents({DOCK.lease: [[line(1)]]}))
    reader = run.reader

    def closed(_: Entry) -> None:
        raise BrokenPipeError

    reader._show = closed
    with pytest.raises(BrokenPipeError):
        await reader.follow(DEPLOYMENT, Views([leased(DOCK)]))

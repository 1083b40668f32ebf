"""What is sent with what, what is left out, and what failure teaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from moorage.chain.contracts import Call
from moorage.chain.jobs import Cause, Job, Landed, Outcome, Rejected
from moorage.dispatch import Dispatch
from moorage.snapshot import Block
from moorage.types import Address

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
ITEMS = (b"a", b"b", b"c")


@dataclass
class Outbox:
    """Remembers what was asked for, and answers what a test says."""

    asked: list[tuple[str, tuple[bytes, ...]]] = field(default_factory=list)
    calls: list[bytes] = field(default_factory=list)
    worth: list[tuple[tuple[bytes, ...], tuple[int, ...] | None]] = field(default_factory=list)
    poison: frozenset[bytes] = frozenset()
    cause: Cause = Cause.BUG
    settled: list[Outcome] = field(default_factory=list)

    async def submit(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.asked += [(job.kind, job.items) for job in jobs]
        self.worth += [(job.items, job.worth_wei) for job in jobs]
        self.calls += [job.make(range(len(job.items))).data for job in jobs]
        bad = [job for job in jobs if self.poison & {*job.items}]
        self.settled += [Landed(job.kind, job.items, "0x1", 1, 21_000) for job in jobs if job not in bad]
        return [Rejected(job.kind, job.items, "reverted", self.cause) for job in bad]

    async def advance(self, head: Block) -> list[Outcome]:
        settled, self.settled = self.settled, []
        return settled

    def is_under_way(self, kind: str, item: bytes) -> bool:
        return False


def job(items: tuple[bytes, ...] = ITEMS, priority: int = 1) -> Job:
    return Job("match", items, lambda at: Call(EXCHANGE, b"".join(items[each] for each in at), "match"), priority)


def block(number: int) -> Block:
    return Block(number, number.to_bytes(32, "big"), number)


async def cycles(outbox: Outbox, count: int, priority: int = 1) -> list[list[tuple[bytes, ...]]]:
    """Return what is sent in each of some blocks in which the same is due."""
    dispatch = Dispatch(outbox)  # type: ignore[arg-type]
    sent = []
    for number in range(count):
        outbox.asked.clear()
        await dispatch.look(block(number))
        await dispatch.send([job(priority=priority)], block(number))
        sent.append([items for _, items in outbox.asked])
    return sent


async def test_send__nothing_has_failed__goes_together() -> None:
    assert await cycles(Outbox(), 2) == [[ITEMS], [ITEMS]]


async def test_g20_send__one_is_poison__the_others_proceed_and_it_is_tried_more_and_more_seldom() -> None:
    outbox = Outbox(poison=frozenset([b"b"]))

    sent = await cycles(outbox, 8)

    alone, others = [(b"a",), (b"b",), (b"c",)], [(b"a", b"c")]
    assert sent == [[ITEMS], alone, others, [*others, (b"b",)], others, others, others, [*others, (b"b",)]]
    assert outbox.calls[-2:] == [b"ac", b"b"]


async def test_g20_send__what_nobody_may_hold_back__is_tried_alone_at_each_block() -> None:
    sent = await cycles(Outbox(poison=frozenset([b"b"])), 4, priority=0)

    assert sent[0] == [ITEMS]
    assert all((b"b",) in each for each in sent[1:])


@pytest.mark.parametrize("cause", [Cause.NO_COIN, Cause.SPENDING_CAP, Cause.TOO_DEAR, Cause.NO_ANSWER])
async def test_send__fault_lies_with_the_key_or_the_node__nothing_is_set_aside(cause: Cause) -> None:
    outbox = Outbox(poison=frozenset([b"b"]), cause=cause)

    assert await cycles(outbox, 3) == [[ITEMS]] * 3


async def test_d02_send__one_has_failed__each_part_is_worth_what_is_in_it() -> None:
    outbox = Outbox(poison=frozenset({b"b"}))
    dispatch = Dispatch(outbox)  # type: ignore[arg-type]

    for number in (1, 2):
        await dispatch.send([replace(job(priority=0), worth_wei=(1, 20, 300))], block(number))

    assert outbox.worth[1:] == [((b"a",), (1,)), ((b"b",), (20,)), ((b"c",), (300,))]


async def test_send__no_outbox__says_what_it_would_send() -> None:
    dispatch = Dispatch(None)

    with capture_logs() as logs:
        await dispatch.look(block(1))
        await dispatch.send([job()], block(1))

    assert [(each["event"], each["transaction"]) for each in logs] == [("dry mode: not sent", "match")]
    assert not dispatch.is_under_way("match", b"a")

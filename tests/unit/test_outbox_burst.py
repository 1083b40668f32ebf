"""Many transactions at once: tried, written down and sent in parts, with the same care as a single one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from moorage.chain.contracts import Call
from moorage.chain.jobs import Cause, Job, Landed, Rejected
from moorage.chain.journal import JournalFault
from moorage.chain.outbox import PART
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.simulation import BURST, PIECE
from tests.fakes.outboxes import TO, advance, outbox, refused, reverting
from tests.fakes.pool import GAS, Pool

MANY = 2 * PART + 7


def data(number: int) -> bytes:
    return number.to_bytes(2, "big")


def many_jobs(count: int = MANY) -> list[Job]:
    return [Job("bid", (data(each),), partial(_call, data(each))) for each in range(count)]


def _call(content: bytes, _: Sequence[int]) -> Call:
    return Call(TO, content, f"bid {content.hex()}")


async def test_g01_burst__more_than_is_sent_at_a_time__is_on_chain_in_order_with_one_request_to_try(
    tmp_path: Path,
) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, tmp_path / "journal.db") as sending:
        assert await sending.submit(many_jobs()) == []
        outcomes = await advance(pool, sending)

    assert pool.effects() == [data(number) for number in range(MANY)]
    assert len(outcomes) == MANY and all(isinstance(each, Landed) for each in outcomes)
    assert (pool.calls.count("eth_simulateV1"), pool.calls.count("eth_estimateGas")) == (-(-MANY // PIECE), 0)


async def test_burst__gas__has_room_for_what_is_given_back_at_the_end_of_a_transaction() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit(many_jobs(BURST))

    assert {entry.fields["gas"] for entry in pool.seen} == {GAS * 5 // 4 * 130 // 100}


async def test_burst__one_fails_in_it__is_tried_alone_and_refused_with_its_reason() -> None:
    pool = Pool(is_mining=False, refusals={f"0x{data(3).hex()}": reverting("order_book: not open")})
    async with outbox(pool) as sending:
        (outcome,) = await sending.submit(many_jobs(BURST))

    assert isinstance(outcome, Rejected) and "order_book: not open" in outcome.reason
    assert pool.calls.count("eth_estimateGas") == 1
    assert [entry.data for entry in pool.seen] == [data(number) for number in range(BURST) if number != 3]


@pytest.mark.parametrize("answer", ["method hidden", "unavailable", "other block", "nonsense"])
async def test_burst__node_can_not_try_many_at_once__each_is_tried_alone(answer: str) -> None:
    pool = Pool(is_mining=False)
    if answer == "method hidden":
        pool.hidden.add("eth_simulateV1")
    elif answer == "unavailable":
        pool.faults["eth_simulateV1"] = [NodeUnavailable("too busy")]
    elif answer == "nonsense":
        calls = [{"status": "soon", "gasUsed": "much"}] * BURST
        pool.eth_simulateV1 = lambda *_: [{"calls": calls}]  # type: ignore[method-assign]
    else:
        pool.eth_simulateV1 = lambda *_: [{"calls": [{"status": "0x1", "gasUsed": "0x1"}]}]  # type: ignore[method-assign]
    async with outbox(pool) as sending:
        assert await sending.submit(many_jobs(BURST)) == []

    assert pool.calls.count("eth_estimateGas") == BURST
    assert {entry.fields["gas"] for entry in pool.seen} == {GAS * 130 // 100}


async def test_g01_burst__node_refuses_some_for_good__the_others_take_place_and_no_nonce_stays_open() -> None:
    bad = (0, PART - 1, PART, MANY - 1)
    pool = Pool(is_mining=False, refused={data(number): refused("insufficient funds for gas") for number in bad})
    async with outbox(pool) as sending:
        outcomes = await sending.submit(many_jobs())
        pool.refused.clear()
        await advance(pool, sending, blocks=6)

        assert sending.count_under_way == 0
    assert [(type(each), each.cause) for each in outcomes] == [(Rejected, Cause.NO_COIN)] * len(bad)
    done = [each for each in pool.effects() if each]
    assert done == [data(number) for number in range(MANY) if number not in bad]


async def test_g22_burst__journal_is_full_after_the_first_part__what_is_written_takes_place_once_and_the_rest_later(
    tmp_path: Path,
) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, tmp_path / "journal.db") as sending:
        assert sending._journal is not None
        real, saved = sending._journal.save, []

        def save(rows, *more) -> None:
            saved.append(len(rows))
            if len(saved) == 2:
                raise JournalFault("database or disk is full")
            real(rows, *more)

        sending._journal.save = save  # type: ignore[method-assign]
        with pytest.raises(JournalFault):
            await sending.submit(many_jobs())
        assert len(pool.seen) <= PART
        assert sending.is_under_way("bid", data(0)) and not sending.is_under_way("bid", data(PART))

        await advance(pool, sending)
        assert await sending.submit(many_jobs()[PART:]) == []
        await advance(pool, sending)

    assert pool.effects() == [data(number) for number in range(MANY)]

"""The outbox when blocks are undone or not to be seen: what was undone takes place again, and once."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.chain.jobs import Cause, Landed, Rejected
from tests.fakes.outboxes import advance, job, outbox, reverting
from tests.fakes.pool import Pool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.mark.parametrize("depth", [1, 3])
async def test_g07_outbox__block_is_undone__the_same_is_sent_again_and_takes_place_once(depth: int) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        assert len(await advance(pool, sending, 3)) == 2
        pool.reorganise(3)
        assert await sending.advance(pool.head) == []
        assert sending.is_under_way("confirm", b"\1")
        outcomes = await advance(pool, sending, depth)

    assert pool.effects() == [b"\1", b"\2"]
    assert [type(outcome) for outcome in outcomes] == [Landed, Landed]
    assert len({entry.hash for entry in pool.seen}) == 2


async def test_g07_outbox__block_is_undone_while_it_was_off__is_sent_again(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
    pool.reorganise(1)

    async with outbox(pool, path) as again:
        await again.advance(pool.head)
        (outcome,) = await advance(pool, again)

    assert isinstance(outcome, Landed)
    assert pool.effects() == [b"\1"]


async def test_g07_outbox__undone_and_mined_in_another_block__is_not_sent_again() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
        pool.reorganise(1)
        pool.mine(pool.seen[0])
        (outcome,) = await sending.advance(pool.head)

    assert isinstance(outcome, Landed) and outcome.block_number == 3
    assert len(pool.seen) == 1


async def test_g07_outbox__undone_and_lost_the_race_the_second_time__is_told() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
        pool.reorganise(1)
        pool.status = "0x0"
        pool.refusals["0x01"] = reverting("order_book: order not open")
        outcomes = [*await sending.advance(pool.head), *await advance(pool, sending)]

    assert outcomes == [
        Rejected("confirm", (b"\1",), "reverted in block 3: order_book: order not open", Cause.LOST_RACE)
    ]


async def test_g07_outbox__final_or_deep__is_not_looked_at_any_more() -> None:
    for pool in (Pool(is_mining=False, final_depth=2), Pool(is_mining=False, hidden={"finalized"})):
        async with outbox(pool, depth_blocks=4) as sending:
            await sending.submit([job(1)])
            await advance(pool, sending, 2 if pool.final_depth else 4)
            before = len(pool.calls)
            await advance(pool, sending)
            assert len(pool.calls) > before
            before = len(pool.calls)
            await advance(pool, sending)
            assert len(pool.calls) == before


async def test_g16_outbox__node_behind_a_load_balancer_lacks_the_block__nothing_is_concluded() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending)
        head, real = pool.head, pool.eth_getBlockByNumber
        pool.eth_getBlockByNumber = lambda *_: None  # type: ignore[method-assign]
        assert await sending.advance(head) == []
        pool.eth_getBlockByNumber = real  # type: ignore[method-assign]

        assert not sending.is_under_way("confirm", b"\1")
    assert len(pool.seen) == 1


async def test_g16_outbox__receipt_is_of_a_block_after_the_head__is_told_with_that_block() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        old = pool.head
        pool.pass_blocks()

        assert await sending.advance(old) == []
        assert sending.is_under_way("confirm", b"\1")
        assert len(await sending.advance(pool.head)) == 1


async def test_g19_outbox__two_programs_race_for_the_same__one_lands_and_one_lost_the_race() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        pool.status = "0x0"
        pool.refusals["0x01"] = reverting("exchange: nothing is ready")
        (outcome,) = await advance(pool, sending)

    assert outcome == Rejected("confirm", (b"\1",), "reverted in block 1: exchange: nothing is ready", Cause.LOST_RACE)

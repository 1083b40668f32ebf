"""The outbox when nodes lose, evict, delay or refuse what was sent: every effect takes place, and once."""

from __future__ import annotations

import pytest
import structlog

from moorage.chain.jobs import Landed
from moorage.chain.rpc import NodeUnavailable
from tests.fakes.outboxes import ACCOUNT, Seen, advance, fees, job, outbox, refused
from tests.fakes.pool import USED, Pool

GWEI = 10**9
SILENT = NodeUnavailable("no answer")
TEN = [job(number) for number in range(10)]
EACH_ONCE = [bytes([number]) for number in range(10)]


async def test_d03_outbox__no_coin_for_a_replacement__the_older_one_stays() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=1) as sending:
        await sending.submit([job(1)])
        pool.faults["eth_sendRawTransaction"] = [refused("insufficient funds for gas")] * 3
        for _ in range(3):
            pool.pass_empty()
            assert await sending.advance(pool.head) == []
        (landed,) = await advance(pool, sending)

    assert isinstance(landed, Landed)


async def test_g03_outbox__stuck__offers_an_eighth_more_on_both_fees_after_some_blocks() -> None:
    pool, seen = Pool(is_mining=False), Seen()
    async with outbox(pool, observer=seen, replace_after_blocks=3) as sending:
        await sending.submit([job(1)])
        for _ in range(9):
            pool.pass_empty()
            await sending.advance(pool.head)
        await advance(pool, sending)

    assert [entry.nonce for entry in pool.seen] == [0, 0, 0, 0]
    for before, after in zip(pool.seen, pool.seen[1:], strict=False):
        assert all(new * 8 >= old * 9 for old, new in zip(fees(before), fees(after), strict=True))
    assert seen.counts.count("replaced confirm") == 3
    assert pool.effects() == [b"\1"]


async def test_g03_outbox__base_fee_times_eight__all_that_are_stuck_offer_what_is_asked() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=2) as sending:
        await sending.submit(TEN)
        pool.base_fee *= 8
        await advance(pool, sending, 3)

    assert pool.effects() == EACH_ONCE
    assert all(fees(entry) == (17 * GWEI, 9 * GWEI // 8) for entry in pool.seen[10:])


async def test_g03_outbox__first_is_stuck_and_those_behind_it_offer_enough__only_it_is_replaced() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        pool.pass_empty(3)
        await sending.advance(pool.head)

    assert [entry.nonce for entry in pool.seen[10:]] == [0]


async def test_g03_outbox__replacement_is_underpriced_for_the_node__offers_more_the_next_time() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=2) as sending:
        await sending.submit([job(1)])
        pool.pass_empty(2)
        pool.faults["eth_sendRawTransaction"] = [refused("replacement transaction underpriced")]
        await sending.advance(pool.head)
        pool.pass_empty(2)
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert [fees(entry)[0] for entry in pool.seen] == [3 * GWEI, 3 * GWEI * 81 // 64]
    assert pool.effects() == [b"\1"]


@pytest.mark.parametrize("words", ["max fee per gas less than block base fee", "txpool is full", "FeeTooLow"])
async def test_g03_outbox__node_takes_it_not_now__is_tried_again_until_it_does(words: str) -> None:
    pool = Pool(is_mining=False)
    pool.refused[b"\1"] = refused(words)
    async with outbox(pool) as sending:
        assert await sending.submit([job(1), job(2)]) == []
        await advance(pool, sending, 2)
        pool.refused.clear()
        await advance(pool, sending, 2)

    assert pool.effects() == [b"\1", b"\2"]


async def test_g04_outbox__evicted_because_the_base_fee_rose__lands_once() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        pool.base_fee = 5 * GWEI
        pool.evict()
        assert pool.pool == {}
        await advance(pool, sending, 2)

    assert pool.effects() == EACH_ONCE


async def test_g04_outbox__evicted_from_a_full_pool__the_same_is_sent_again() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        del pool.pool[(ACCOUNT.address, 1)]
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert pool.effects() == [b"\1", b"\2"]
    assert pool.seen[2].hash == pool.seen[1].hash


@pytest.mark.parametrize("lost", [1, 3, 11, 25])
async def test_g05_outbox__accepted_but_answers_are_lost__each_takes_place_once(lost: int) -> None:
    pool = Pool(is_mining=False)
    pool.lost_answers["eth_sendRawTransaction"] = lost
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        outcomes = await advance(pool, sending, 4)

    assert pool.effects() == EACH_ONCE
    assert len(outcomes) == len({entry.hash for entry in pool.seen}) == 10


async def test_g05_outbox__replacement_never_reaches_the_node__is_sent_again_although_the_older_one_is_there() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=5) as sending:
        await sending.submit([job(1)])
        pool.pass_empty(5)
        pool.faults["eth_sendRawTransaction"] = [SILENT]
        await sending.advance(pool.head)
        assert len(pool.seen) == 1
        pool.pass_empty()
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert [fees(entry)[0] for entry in pool.seen] == [3 * GWEI, 3 * GWEI * 9 // 8]
    assert pool.effects() == [b"\1"]


async def test_g06_outbox__older_one_is_mined__is_found() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=1) as sending:
        await sending.submit([job(1)])
        for _ in range(3):
            pool.pass_empty()
            await sending.advance(pool.head)
        pool.mine(pool.seen[1])
        (outcome,) = await sending.advance(pool.head)

    assert len(pool.seen) == 4
    assert outcome == Landed("confirm", (b"\1",), pool.seen[1].hash, 4, USED, ())


async def test_g17_outbox__node_is_too_busy_to_take_anything__everything_is_sent_later() -> None:
    pool = Pool(is_mining=False)
    pool.faults["eth_sendRawTransaction"] = [SILENT] * 25
    async with outbox(pool) as sending:
        assert await sending.submit(TEN) == []
        await advance(pool, sending, 4)

    assert pool.effects() == EACH_ONCE


async def test_g17_outbox__node_is_too_busy_meanwhile__what_has_landed_is_told_later() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        pool.mine(pool.seen[0])
        del pool.pool[(ACCOUNT.address, 1)]
        pool.hidden.add("eth_getBlockByNumber")  # after the receipt: no quote for what is missing
        with pytest.raises(NodeUnavailable):
            await sending.advance(pool.head)
        pool.hidden.clear()

        outcomes = [*await sending.advance(pool.head), *await advance(pool, sending)]

    assert [outcome.items for outcome in outcomes] == [(b"\1",), (b"\2",)]


async def test_g27_outbox__replacement_beyond_what_it_is_worth__stays_as_it_is_and_is_said() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, replace_after_blocks=1) as sending:
        await sending.submit([job(1, worth_wei=130_000 * 3 * GWEI)])
        pool.base_fee *= 10**6
        pool.pass_empty()
        with structlog.testing.capture_logs() as logs:
            await sending.advance(pool.head)
            pool.pass_empty()
            await sending.advance(pool.head)

    assert len(pool.seen) == 1
    assert [(log["event"], log["items"]) for log in logs] == [
        ("transaction at risk: its fees may not be raised any more", ["01"])
    ]


async def test_g27_outbox__replacement_beyond_the_cap_of_the_day__stays_as_it_is() -> None:
    pool = Pool(is_mining=False)
    most = 130_000 * 3 * GWEI
    async with outbox(pool, replace_after_blocks=1, daily_wei=most * 9 // 8) as sending:
        await sending.submit([job(1)])
        for _ in range(5):
            pool.pass_empty()
            await sending.advance(pool.head)

    assert [fees(entry)[0] for entry in pool.seen] == [3 * GWEI, 3 * GWEI * 9 // 8]

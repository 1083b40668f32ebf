"""What the outbox spends: by the coin of its key, by what each job is worth, and by a cap for each day."""

from __future__ import annotations

from pathlib import Path

import structlog

from moorage.chain.jobs import Cause, Rejected
from tests.fakes.outboxes import Seen, advance, fees, job, outbox, refused
from tests.fakes.pool import GAS, USED, Pool

GWEI = 10**9
MOST = GAS * 130 // 100 * 3 * GWEI
"""What a transaction of the pool can cost at most."""


async def test_d03_submit__coin_for_two_more__bids_stop_and_confirmations_go_on() -> None:
    pool, seen = Pool(balance=2 * MOST), Seen()
    async with outbox(pool, observer=seen) as sending:
        with structlog.testing.capture_logs() as logs:
            rejected = await sending.submit([job(9, priority=3), job(1), job(5, priority=1), job(2)])

    assert pool.effects() == [b"\1", b"\2"]
    assert [(each.kind, each.cause) for each in rejected if isinstance(each, Rejected)] == [
        ("close", Cause.NO_COIN),
        ("bid", Cause.NO_COIN),
    ]
    assert [(log["event"], log["items"]) for log in logs] == [("not sent", ["05"]), ("not sent", ["09"])]
    assert "kept for what is more urgent" in logs[1]["reason"]


async def test_d03_submit__only_bids_and_little_coin__leaves_it_to_the_confirmations_to_come() -> None:
    pool = Pool(balance=20 * MOST)
    async with outbox(pool, reserve_transactions=5) as sending:
        (bid,) = await sending.submit([job(9, priority=3)])
        assert await sending.submit([job(5, priority=1)]) == []

    assert isinstance(bid, Rejected) and bid.cause is Cause.NO_COIN
    assert pool.effects() == [b"\5"]


async def test_d03_submit__coin_for_less_than_the_usual_offer__an_urgent_one_offers_less() -> None:
    pool = Pool(is_mining=False, balance=MOST * 2 // 3)
    async with outbox(pool) as sending:
        assert await sending.submit([job(1)]) == []

    assert fees(pool.seen[0])[0] == 2 * GWEI


async def test_d03_submit__coin_that_is_under_way_already__is_not_counted_twice() -> None:
    pool = Pool(is_mining=False, balance=MOST * 5 // 4)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        (second,) = await sending.submit([job(2)])

    assert isinstance(second, Rejected) and second.cause is Cause.NO_COIN


async def test_d03_submit__node_says_that_there_is_too_little__tells_it_and_uses_the_nonce_for_the_next() -> None:
    pool = Pool(is_mining=False, hidden={"eth_getBalance"})
    pool.refused[b"\1"] = refused("insufficient funds for gas * price + value: have 1 want 2")
    async with outbox(pool) as sending:
        (rejected,) = await sending.submit([job(1)])
        assert isinstance(rejected, Rejected) and rejected.cause is Cause.NO_COIN
        assert not sending.is_under_way("confirm", b"\1")
        await sending.submit([job(2)])

    assert [(entry.nonce, entry.data) for entry in pool.seen] == [(0, b"\2")]


async def test_d02_submit__gas_dearer_than_the_job_is_worth__says_so_with_the_items() -> None:
    pool = Pool(is_mining=False, base_fee=100 * GWEI)
    async with outbox(pool) as sending:
        with structlog.testing.capture_logs() as logs:
            (rejected,) = await sending.submit([job(1, worth_wei=130_000 * 99 * GWEI)])
        await sending.submit([job(2, worth_wei=130_000 * 120 * GWEI)])

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.TOO_DEAR
    assert [(log["event"], log["items"]) for log in logs] == [("not sent", ["01"])]
    assert [(entry.data, fees(entry)) for entry in pool.seen] == [(b"\2", (120 * GWEI, GWEI))]


async def test_d02_submit__half_of_a_batch__is_worth_half_of_it() -> None:
    pool = Pool(is_mining=False, gas=lambda data: 7_000_000 if len(data) > 1 else 100_000)
    async with outbox(pool) as sending:
        await sending.submit([job(1, 2, worth_wei=2 * 130_000 * 2 * GWEI)])
        await sending.submit([job(3, worth_wei=2 * 130_000 * 2 * GWEI)])

    assert [fees(entry)[0] for entry in pool.seen] == [2 * GWEI, 2 * GWEI, 3 * GWEI]


async def test_g27_submit__spending_cap_of_a_day__is_kept_to_the_wei_over_restarts(tmp_path: Path) -> None:
    pool, path = Pool(final_depth=0), tmp_path / "journal.sqlite3"
    for number in range(1, 20):
        async with outbox(pool, path, daily_wei=3 * MOST) as sending:
            rejected = await sending.submit([job(number)])
            await advance(pool, sending, 2)

    cost = USED * 2 * GWEI
    assert len(pool.effects()) * cost <= 3 * MOST < (len(pool.effects()) + 1) * cost + MOST
    assert len(pool.effects()) > 3
    assert isinstance(rejected[0], Rejected) and rejected[0].cause is Cause.SPENDING_CAP


async def test_g27_submit__base_fee_times_a_million__spends_no_more_than_the_cap() -> None:
    pool = Pool(base_fee=10**6 * GWEI)
    async with outbox(pool, daily_wei=MOST) as sending:
        (rejected,) = await sending.submit([job(1)])

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.SPENDING_CAP
    assert pool.seen == []


async def test_g27_advance__final__is_told_with_what_it_has_cost() -> None:
    pool, seen = Pool(), Seen()
    async with outbox(pool, observer=seen, depth_blocks=5) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending, 4)
        assert seen.spent_wei == 0
        await advance(pool, sending, 1)

    assert seen.spent_wei == USED * 2 * GWEI

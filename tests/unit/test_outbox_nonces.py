"""The outbox when a nonce is lost, given up or taken by others: the later ones take place all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from moorage.chain.jobs import Cause, Landed, Rejected
from moorage.chain.journal import JournalFault
from moorage.chain.key_lock import KeyInUse
from moorage.chain.rpc import NodeRefused
from tests.fakes.outboxes import ACCOUNT, advance, fees, job, outbox, refused
from tests.fakes.pool import Pool

GWEI = 10**9
TEN = [job(number) for number in range(10)]
EACH_ONCE = [bytes([number]) for number in range(10)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def test_g01_outbox__third_of_ten_is_swallowed__all_ten_take_place_once_each() -> None:
    pool = Pool(is_mining=False)
    real = pool.eth_sendRawTransaction

    def swallow_the_third(raw: str) -> str:
        pool.swallowed = int(len(pool.seen) == 2)
        return real(raw)

    pool.eth_sendRawTransaction = swallow_the_third  # type: ignore[method-assign]
    async with outbox(pool) as sending:
        await sending.submit(TEN)
        outcomes = await advance(pool, sending, 2)

    assert pool.effects() == EACH_ONCE
    assert sorted(outcome.items for outcome in outcomes) == [(item,) for item in EACH_ONCE]
    assert len(pool.seen) == 11


async def test_g01_outbox__given_up_and_mined_all_the_same__is_told() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        pool.pool.clear()
        pool.refused[b"\1"] = refused("exceeds block gas limit")
        (rejected,) = await sending.advance(pool.head)
        pool.mine(pool.seen[0])
        (outcome,) = await sending.advance(pool.head)

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.NODE_REFUSED
    assert isinstance(outcome, Landed) and outcome.items == (b"\1",)


async def test_g01_outbox__node_takes_one_of_three_never__the_gap_is_filled_and_the_others_take_place() -> None:
    pool = Pool(is_mining=False)
    pool.refused[b"\2"] = refused("transaction type not supported")
    async with outbox(pool) as sending:
        (rejected,) = await sending.submit([job(1), job(2), job(3)])
        assert await sending.submit([job(2)]) == [
            Rejected("confirm", (b"\2",), "the node refuses it: transaction type not supported", Cause.NODE_REFUSED)
        ]
        await advance(pool, sending, 2)

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.NODE_REFUSED
    assert pool.effects() == [b"\1", b"", b"\3"]


async def test_g01_outbox__fees_have_fallen_far_below_those_of_a_gap__it_is_filled_all_the_same() -> None:
    pool = Pool(is_mining=False, base_fee=1_000 * GWEI)
    pool.refused[b"\1"] = refused("insufficient funds for gas")
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        pool.base_fee = GWEI
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert pool.effects() == [b"", b"\2"]


@pytest.mark.parametrize("words", ["insufficient funds for gas * price + value", "exceeds block gas limit"])
async def test_g01_outbox__lost_and_not_taken_any_more__is_given_up_so_that_the_later_ones_take_place(
    words: str,
) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as sending:
        await sending.submit([job(1), job(2)])
        pool.pool.clear()
        pool.refused[b"\1"] = refused(words)
        (rejected,) = await sending.advance(pool.head)
        assert isinstance(rejected, Rejected) and rejected.items == (b"\1",)
        assert not sending.is_under_way("confirm", b"\1")
        await sending.advance(pool.head)
        await advance(pool, sending)

    assert pool.effects() == [b"", b"\2"]
    empty = next(entry for entry in pool.seen if not entry.data)
    assert empty.fields["to"].hex() == ACCOUNT.address[2:].lower() and empty.fields["value"] == 0
    # another node may have what was given up
    assert all(new * 8 >= old * 9 for old, new in zip(fees(pool.seen[0]), fees(empty), strict=True))


async def test_g02_outbox__second_start_on_the_same_journal__is_refused_naming_the_holder(path: Path) -> None:
    pool = Pool()
    async with outbox(pool, path):
        with pytest.raises(KeyInUse, match="sends with this key"):
            await outbox(pool, path).open()

    async with outbox(pool, path) as third:
        await third.submit([job(1)])


async def test_g02_outbox__somebody_else_has_something_in_the_pool__refuses_to_start(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as other:
        await other.submit([job(1), job(2)])

    with pytest.raises(KeyInUse, match=f"{ACCOUNT.address} has 2 transactions in the pool that are not in {path}"):
        await outbox(pool, path).open()

    pool.pass_blocks()
    async with outbox(pool, path) as sending:  # the lock was let go of
        await sending.submit([job(3)])
    assert [entry.nonce for entry in pool.seen] == [0, 1, 2]


async def test_g02_outbox__its_own_are_in_the_pool__starts(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1), job(2)])

    async with outbox(pool, path) as again:
        assert again.is_under_way("confirm", b"\1")
        assert await again.submit([job(1), job(3)]) == []
        await advance(pool, again)

    assert pool.effects() == [b"\1", b"\2", b"\3"]


async def test_g02_outbox__another_program_sends_meanwhile__is_said_and_queued_behind(path: Path) -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, path) as sending:
        async with outbox(pool) as other:
            await other.submit([job(7)])
        with structlog.testing.capture_logs() as logs:
            await sending.submit([job(1)])
        await advance(pool, sending)

    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["another program sends with this key"]
    assert pool.effects() == [b"\7", b"\1"]


async def test_g02_outbox__another_program_has_used_the_nonce__is_told_when_that_is_deep() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool, depth_blocks=5) as sending:
        await sending.submit([job(1)])
        pool.pool.clear()
        async with outbox(pool) as other:
            await other.submit([job(9)])
        assert await advance(pool, sending, 5) == []
        assert sending.is_under_way("confirm", b"\1")

        (outcome,) = await advance(pool, sending)

        assert isinstance(outcome, Rejected) and outcome.cause is Cause.BUG
        assert "has taken the nonce 0" in outcome.reason
        assert not sending.is_under_way("confirm", b"\1")
    assert pool.effects() == [b"\x09"]


async def test_g02_outbox__another_programs_transaction_before_ours_is_gone__the_gap_is_filled() -> None:
    pool = Pool(is_mining=False)
    async with outbox(pool) as other:
        await other.submit([job(9)])
    async with outbox(pool) as sending:
        await sending.submit([job(1)])
        pool.pool.clear()
        await advance(pool, sending, 6)

    assert pool.effects() == [b"", b"\1"]


async def test_g02_outbox__chain_was_started_anew__refuses_the_old_journal(path: Path) -> None:
    pool = Pool(final_depth=0)
    async with outbox(pool, path) as sending:
        await sending.submit([job(1)])
        await advance(pool, sending, 2)

    with pytest.raises(JournalFault, match=r"the node counts 0 transactions of .* where 1 are final"):
        await outbox(Pool(), path).open()


async def test_g05_submit__one_node_refuses_and_another_is_silent__the_nonce_is_not_used_for_something_else() -> None:
    pool = Pool(is_mining=False, hidden={"pending"})  # the node that is asked has not got it
    real = pool.eth_sendRawTransaction

    def take_and_refuse(raw: str) -> str:
        real(raw)
        refusal = NodeRefused(-32000, "insufficient funds for gas", None)
        refusal.is_doubtful = True
        raise refusal

    async with outbox(pool) as sending:
        pool.eth_sendRawTransaction = take_and_refuse  # type: ignore[method-assign]
        (rejected,) = await sending.submit([job(1)])
        pool.eth_sendRawTransaction = real  # type: ignore[method-assign]
        await sending.submit([job(2)])
        outcomes = await advance(pool, sending, 2)

    assert isinstance(rejected, Rejected) and rejected.cause is Cause.NO_COIN
    assert b"\2" in pool.effects()
    assert [outcome.items for outcome in outcomes if isinstance(outcome, Landed)][-1] == (b"\2",)
    assert {entry.nonce for entry in pool.seen if entry.data == b"\2"} == {1}

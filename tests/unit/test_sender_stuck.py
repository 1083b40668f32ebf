"""Transactions that do not get into a block, against a pool that follows geth's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.chain import sender as module
from moorage.chain.contracts import Call
from moorage.chain.fees import PRIORITY_FEE_WEI
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import NotSent, Sender, Undecided
from moorage.types import Address
from tests.fakes.pool import CHAIN_ID, Entry, Pool

ACCOUNT: LocalAccount = Account.from_key(b"\x01" * 32)
TO = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
SILENT = NodeUnavailable("no answer")
FOREVER = 10**6


def call(number: int) -> Call:
    return Call(TO, bytes([number]), f"call {number}")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    return Pool()


def sender(pool: Pool, limit: float = 60, replace_after: int = FOREVER) -> Sender:
    return Sender(pool.rpc, ACCOUNT, CHAIN_ID, limit, replace_after)


def fees(entry: Entry) -> tuple[int, int]:
    return entry.fields["maxFeePerGas"], entry.fields["maxPriorityFeePerGas"]


def each_look(pool: Pool, happen: Callable[[], None]) -> None:
    """Let an empty block pass, and something happen, whenever the sender looks how far it is."""
    pool.is_mining = False

    def look() -> None:
        if pool.seen:
            pool.pass_empty()
            happen()

    pool.before["eth_getTransactionCount"] = look


def mine_when(pool: Pool, is_time: Callable[[], bool], which: int = -1) -> None:
    """Mine one of the transactions when the time has come."""
    each_look(pool, lambda: pool.mine(pool.seen[which]) if is_time() and not pool.receipts else None)


async def test_send__not_in_a_block_in_time__says_which(pool: Pool) -> None:
    pool.is_mining = False

    with pytest.raises(Undecided, match=r"call 1: not in a block after 0 s \(transaction 0x[0-9a-f]{64}\)"):
        await sender(pool, limit=0.02).send(call(1))


async def test_g03_send__stuck__raises_both_fees_enough_and_keeps_the_nonce(pool: Pool) -> None:
    mine_when(pool, lambda: len(pool.seen) == 6)

    await sender(pool, replace_after=2).send(call(1))

    for before, after in zip(pool.seen, pool.seen[1:], strict=False):
        assert after.nonce == before.nonce == 0
        assert after.data == before.data
        for old, new in zip(fees(before), fees(after), strict=True):
            assert new * 1_000 >= old * 1_125


async def test_g06_send__an_older_one_is_mined_after_the_replacement__is_found(pool: Pool) -> None:
    mine_when(pool, lambda: len(pool.seen) >= 3, which=0)

    sent = await sender(pool, replace_after=2).send(call(1))

    assert sent.transaction == pool.seen[0].hash


async def test_g05_send__answer_to_the_replacement_is_lost_and_it_is_mined__is_found(pool: Pool) -> None:
    each_look(pool, lambda: None)
    real = pool.eth_sendRawTransaction

    def mine_the_second(raw: str) -> str:
        sent = real(raw)
        if len(pool.seen) == 2:
            pool.mine(pool.seen[1])
            raise NodeUnavailable("the answer was lost")
        return sent

    pool.eth_sendRawTransaction = mine_the_second  # type: ignore[method-assign]

    sent = await sender(pool, replace_after=2).send(call(1))

    assert sent.transaction == pool.seen[1].hash


async def test_g27_send__stuck_for_long__never_offers_more_than_ten_times_what_a_block_asks(pool: Pool) -> None:
    mine_when(pool, lambda: len(pool.blocks) > 300)

    await sender(pool, replace_after=1).send(call(1))

    quote = (2 * pool.base_fee + PRIORITY_FEE_WEI, PRIORITY_FEE_WEI)
    highest = fees(pool.seen[-1])
    assert all(8 * low < high <= 10 * low for low, high in zip(quote, highest, strict=True))


async def test_d02_send__base_fee_times_a_hundred__offers_what_blocks_ask_then(pool: Pool) -> None:
    def mine_what_pays() -> None:
        pool.base_fee = 100 * 10**9
        if pool.seen[-1].most >= pool.base_fee and not pool.receipts:
            pool.mine(pool.seen[-1])

    each_look(pool, mine_what_pays)

    await sender(pool, replace_after=2).send(call(1))

    assert len(pool.seen) == 2


async def test_g01_send__after_one_that_is_stuck__pushes_that_one_and_queues_behind_it(pool: Pool) -> None:
    pool.is_mining = False
    sending = sender(pool, limit=0.5, replace_after=2)
    with pytest.raises(NotSent):
        await sending.send(call(1))
    pool.pass_empty(2)

    pool.before["eth_getTransactionCount"] = lambda: pool.pass_blocks(len(pool.seen) == 3)
    await sending.send(call(2))

    assert [(entry.nonce, entry.data) for entry in pool.seen] == [(0, b"\1"), (1, b"\2"), (0, b"\1")]
    assert fees(pool.seen[2]) > fees(pool.seen[0])


async def test_g04_send__evicted_from_the_pool__is_put_there_again(pool: Pool) -> None:
    pool.is_mining = False
    sending = sender(pool, limit=0.5)
    with pytest.raises(NotSent):
        await sending.send(call(1))
    pool.pool.clear()
    pool.is_mining = True

    await sending.send(call(2))

    assert pool.effects() == [b"\1", b"\2"]


async def test_g02_send__another_process_used_the_nonce__is_not_pushed_for_ever(pool: Pool) -> None:
    pool.is_mining = False
    sending = sender(pool, limit=0.5)
    with pytest.raises(NotSent):
        await sending.send(call(1))
    pool.pool.clear()
    pool.is_mining = True
    await Sender(pool.rpc, ACCOUNT, CHAIN_ID).send(call(9))

    await sending.send(call(2))

    assert [(entry.nonce, entry.data) for entry in pool.seen] == [(0, b"\1"), (0, b"\x09"), (1, b"\2")]


async def test_g01_send_all__twice_at_once_while_answers_are_lost__never_share_a_nonce(pool: Pool) -> None:
    pool.faults["eth_sendRawTransaction"] = [SILENT, SILENT, SILENT]
    sending = sender(pool)

    await asyncio.gather(*(sending.send(call(number)) for number in range(1, 5)))

    assert sorted(entry.nonce for entry in pool.seen) == [0, 1, 2, 3]
    assert len(pool.receipts) == 4

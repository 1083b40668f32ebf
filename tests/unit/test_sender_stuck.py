"""Transactions that do not get into a block, against a pool that follows geth's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.chain import sender as module
from moorage.chain.contracts import Call
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import PRIORITY_FEE_WEI, NotSent, Sender
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


def sender(pool: Pool, limit: float = 60, replace_after: float = FOREVER) -> Sender:
    return Sender(pool.rpc, ACCOUNT, CHAIN_ID, limit, replace_after)


def fees(entry: Entry) -> tuple[int, int]:
    return entry.fields["maxFeePerGas"], entry.fields["maxPriorityFeePerGas"]


def mine_when(pool: Pool, is_time: Callable[[], bool]) -> None:
    """Mine the newest transaction when a receipt is asked for and the time has come."""
    pool.is_mining = False

    def receipt(transaction: str) -> object:
        if is_time() and not pool.receipts:
            pool.mine(pool.seen[-1])
        return pool.receipts.get(transaction)

    pool.eth_getTransactionReceipt = receipt  # type: ignore[method-assign,assignment]


async def test_send__not_in_a_block_in_time__says_which(pool: Pool) -> None:
    pool.is_mining = False

    with pytest.raises(NotSent, match=r"call 1: not in a block after 0 s \(transaction 0x[0-9a-f]{64}\)"):
        await sender(pool, limit=0.02).send(call(1))


async def test_g03_send__stuck__raises_both_fees_enough_and_keeps_the_nonce(pool: Pool) -> None:
    mine_when(pool, lambda: len(pool.seen) == 6)

    await sender(pool, replace_after=0.01).send(call(1))

    for before, after in zip(pool.seen, pool.seen[1:], strict=False):
        assert after.fields["nonce"] == before.fields["nonce"] == 0
        assert after.fields["data"] == before.fields["data"]
        for old, new in zip(fees(before), fees(after), strict=True):
            assert new * 1_000 >= old * 1_125


async def test_g06_send__an_older_one_is_mined_after_the_replacement__is_found(pool: Pool) -> None:
    pool.is_mining = False

    def mine_the_first_of_three(transaction: str) -> object:
        if len(pool.seen) >= 3 and not pool.receipts:
            pool.mine(pool.seen[0])
        return pool.receipts.get(transaction)

    pool.eth_getTransactionReceipt = mine_the_first_of_three  # type: ignore[method-assign,assignment]

    sent = await sender(pool, replace_after=0.01).send(call(1))

    assert sent.transaction == pool.seen[0].hash


async def test_g05_send__answer_to_the_replacement_is_lost_and_it_is_mined__is_found(pool: Pool) -> None:
    pool.is_mining = False
    real = pool.eth_sendRawTransaction

    def mine_the_second(raw: str) -> str:
        sent = real(raw)
        if len(pool.seen) == 2:
            pool.mine(pool.seen[1])
            raise NodeUnavailable("the answer was lost")
        return sent

    pool.eth_sendRawTransaction = mine_the_second  # type: ignore[method-assign]

    sent = await sender(pool, replace_after=0.01).send(call(1))

    assert sent.transaction == pool.seen[1].hash


async def test_g27_send__stuck_for_long__never_offers_more_than_ten_times_what_a_block_asks(pool: Pool) -> None:
    mine_when(pool, lambda: pool.calls.count("eth_sendRawTransaction") > len(pool.seen) + 3)

    await sender(pool, replace_after=0.001).send(call(1))

    quote = (2 * pool.base_fee + PRIORITY_FEE_WEI, PRIORITY_FEE_WEI)
    highest = fees(pool.seen[-1])
    assert all(8 * low < high <= 10 * low for low, high in zip(quote, highest, strict=True))


async def test_d02_send__base_fee_times_a_hundred__offers_what_blocks_ask_then(pool: Pool) -> None:
    pool.is_mining = False

    def mine_what_pays(transaction: str) -> object:
        pool.base_fee = 100 * 10**9
        if fees(pool.seen[-1])[0] >= pool.base_fee:
            pool.mine(pool.seen[-1])
        return pool.receipts.get(transaction)

    pool.eth_getTransactionReceipt = mine_what_pays  # type: ignore[method-assign,assignment]

    await sender(pool, replace_after=0.01).send(call(1))

    assert len(pool.seen) == 2


async def test_g01_send__after_one_that_is_stuck__pushes_that_one_and_queues_behind_it(pool: Pool) -> None:
    pool.is_mining = False
    sending = sender(pool, limit=0.02)
    with pytest.raises(NotSent):
        await sending.send(call(1))
    pool.is_mining = True

    await sending.send(call(2))

    nonces = [(entry.fields["nonce"], bytes(entry.fields["data"])) for entry in pool.seen]
    assert nonces == [(0, b"\1"), (0, b"\1"), (1, b"\2")]
    assert fees(pool.seen[1]) > fees(pool.seen[0])


async def test_g04_send__evicted_from_the_pool__is_put_there_again_before_the_next(pool: Pool) -> None:
    pool.is_mining = False
    sending = sender(pool, limit=0.02)
    with pytest.raises(NotSent):
        await sending.send(call(1))
    pool.pool.clear()
    pool.is_mining = True

    await sending.send(call(2))

    assert [entry.fields["nonce"] for entry in pool.seen] == [0, 0, 1]
    assert len(pool.receipts) == 2


async def test_g02_send__another_process_used_the_nonce__is_not_pushed_for_ever(pool: Pool) -> None:
    pool.is_mining = False
    sending = sender(pool, limit=0.02)
    with pytest.raises(NotSent):
        await sending.send(call(1))
    pool.pool.clear()
    pool.is_mining = True
    await Sender(pool.rpc, ACCOUNT, CHAIN_ID).send(call(9))

    await sending.send(call(2))

    assert [bytes(entry.fields["data"]) for entry in pool.seen] == [b"\1", b"\x09", b"\2"]
    assert [entry.fields["nonce"] for entry in pool.seen] == [0, 0, 1]


async def test_g01_send_all__twice_at_once_while_answers_are_lost__never_share_a_nonce(pool: Pool) -> None:
    pool.faults["eth_sendRawTransaction"] = [SILENT, SILENT, SILENT]
    sending = sender(pool)

    await asyncio.gather(*(sending.send(call(number)) for number in range(1, 5)))

    assert sorted(entry.fields["nonce"] for entry in pool.seen) == [0, 1, 2, 3]
    assert len(pool.receipts) == 4

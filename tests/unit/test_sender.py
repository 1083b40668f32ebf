"""The sender against a pool that follows geth's rules: whatever is lost, each effect takes place once."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.chain import sender as module
from moorage.chain.contracts import Call
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import NotSent, Refused, Sender, Sent
from moorage.types import Address
from tests.fakes.node import Refusal
from tests.fakes.pool import CHAIN_ID, GAS, USED, Entry, Pool

ACCOUNT: LocalAccount = Account.from_key(b"\x01" * 32)
TO = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
SILENT = NodeUnavailable("no answer")


def call(number: int) -> Call:
    return Call(TO, bytes([number]), f"call {number}")


def reason(text: str) -> str:
    return f"0x08c379a0{encode(['string'], [text]).hex()}"


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    return Pool()


def sender(pool: Pool, limit: float = 60) -> Sender:
    return Sender(pool.rpc, ACCOUNT, CHAIN_ID, limit)


def fees(entry: Entry) -> tuple[int, int]:
    return entry.fields["maxFeePerGas"], entry.fields["maxPriorityFeePerGas"]


async def test_send__accepted__is_signed_for_the_chain_with_a_margin_of_gas(pool: Pool) -> None:
    sent = await sender(pool).send(call(7))

    (entry,) = pool.seen
    assert sent == Sent(call(7), entry.hash, 1, USED, ())
    assert entry.sender == ACCOUNT.address
    assert (entry.fields["chainId"], entry.fields["nonce"], entry.fields["value"]) == (CHAIN_ID, 0, 0)
    assert entry.fields["gas"] == GAS * 130 // 100
    assert fees(entry) == (2 * pool.base_fee + 10**9, 10**9)


async def test_send_all__several__use_one_nonce_each_and_skip_none_for_a_refused_one(pool: Pool) -> None:
    pool.refusals["0x02"] = Refusal("execution reverted", reason("exchange: nothing is ready"))

    outcomes = await sender(pool).send_all([call(1), call(2), call(3)])

    assert outcomes[1] == Refused(call(2), "exchange: nothing is ready")
    assert [(entry.fields["nonce"], bytes(entry.fields["data"])) for entry in pool.seen] == [(0, b"\1"), (1, b"\3")]


async def test_send_all__nothing__asks_for_no_transaction(pool: Pool) -> None:
    assert await sender(pool).send_all([]) == []
    assert pool.seen == []


async def test_g27_send_all__limit_for_the_gas_of_each__is_never_signed_above_and_kept_to_when_it_is_too_dear(
    pool: Pool,
) -> None:
    least = pool.base_fee * (GAS * 130 // 100)

    (sent,) = await sender(pool).send_all([call(1)], least)
    with pytest.raises(NotSent, match="which is more than the 1 that it is worth"):
        await sender(pool).send_all([call(2)], 1)

    (entry,) = pool.seen
    assert isinstance(sent, Sent) and entry.fields["gas"] * fees(entry)[0] <= least


async def test_send__refused_by_the_simulation__says_the_contracts_reason_and_sends_nothing(pool: Pool) -> None:
    pool.refusals["0x01"] = Refusal("execution reverted", reason("order_book: already bid"))

    with pytest.raises(NotSent, match="call 1: order_book: already bid"):
        await sender(pool).send(call(1))

    assert pool.seen == []


async def test_send__contract_says_insufficient_funds__is_not_taken_for_a_lack_of_gas_money(pool: Pool) -> None:
    text = "ledger: insufficient funds"
    pool.refusals["0x01"] = Refusal(f"execution reverted: {text}", reason(text))

    assert await sender(pool).send_all([call(1)]) == [Refused(call(1), text)]


async def test_d03_send__no_coin_for_gas__says_whose(pool: Pool) -> None:
    pool.faults["eth_estimateGas"] = [_refused("insufficient funds for gas * price + value")]

    with pytest.raises(NotSent, match=f"{ACCOUNT.address} has too little of the chain's coin to pay for gas"):
        await sender(pool).send(call(1))


async def test_send__node_refuses_the_transaction__says_why(pool: Pool) -> None:
    pool.faults["eth_sendRawTransaction"] = [_refused("transaction type not supported")]

    with pytest.raises(NotSent, match="call 1: the node refuses it: transaction type not supported"):
        await sender(pool).send(call(1))


@pytest.mark.parametrize(
    "words", ["already known", "AlreadyKnown", "Known transaction", "transaction already imported"]
)
async def test_g05_send__node_knows_it_already__is_success(pool: Pool, words: str) -> None:
    pool.lost_answers["eth_sendRawTransaction"] = 1
    pool.is_mining = False
    pool.faults["eth_sendRawTransaction"] = [None, _refused(words)]
    pool.before["eth_getTransactionCount"] = lambda: pool.pass_blocks(len(pool.calls) > 20)

    sent = await sender(pool).send(call(1))

    assert sent.transaction == pool.seen[0].hash
    assert len(pool.seen) == 1


@pytest.mark.parametrize("lost", [1, 2, 5])
async def test_g05_send__accepted_but_the_answer_is_lost__takes_place_once(pool: Pool, lost: int) -> None:
    pool.lost_answers["eth_sendRawTransaction"] = lost

    await sender(pool).send(call(1))

    assert [entry.fields["nonce"] for entry in pool.seen] == [0]


@pytest.mark.parametrize("failures", [1, 3])
async def test_g01_send__never_reached_the_node__is_sent_again_with_the_same_nonce(pool: Pool, failures: int) -> None:
    pool.faults["eth_sendRawTransaction"] = [SILENT] * failures

    await sender(pool).send_all([call(1), call(2)])

    assert sorted((entry.fields["nonce"], bytes(entry.fields["data"])) for entry in pool.seen) == [
        (0, b"\1"),
        (1, b"\2"),
    ]


async def test_g12_send__node_is_silent_while_waiting__waits_on(pool: Pool) -> None:
    pool.faults["eth_getTransactionReceipt"] = [SILENT, SILENT, _refused("busy")]

    sent = await sender(pool).send(call(1))

    assert sent.block_number == 1


async def test_g19_send__reverts_in_its_block__says_what_the_chain_says_there(pool: Pool) -> None:
    pool.status = "0x0"
    pool.faults["eth_call"] = [SILENT, _refused("execution reverted", reason("exchange: nothing is ready"))]

    (outcome,) = await sender(pool).send_all([call(1)])

    assert outcome == Refused(call(1), "reverted in block 1: exchange: nothing is ready")


async def test_c21_send__reverts_in_its_block_but_not_after_it__somebody_was_faster(pool: Pool) -> None:
    pool.status = "0x0"

    (outcome,) = await sender(pool).send_all([call(1)])

    assert outcome == Refused(call(1), "reverted in block 1: somebody else was faster")


async def test_send_all__one_cannot_be_sent__the_others_are_waited_for(pool: Pool) -> None:
    pool.refusals["0x02"] = _refused("insufficient funds for gas * price + value")
    pool.faults["eth_getTransactionReceipt"] = [SILENT]

    with pytest.raises(NotSent, match="too little of the chain's coin"):
        await sender(pool).send_all([call(1), call(2), call(3)])

    assert pool.effects() == [b"\1", b"\3"]


async def test_send_all__node_does_not_take_one__the_others_are_waited_for(pool: Pool) -> None:
    pool.refused[b"\2"] = _refused("transaction type not supported")

    with pytest.raises(NotSent, match="call 2: the node refuses it: transaction type not supported"):
        await sender(pool).send_all([call(1), call(2), call(3)])

    assert pool.effects() == [b"\1", b"", b"\3"]  # what fills the gap does nothing


async def test_send_all__one_is_stuck__the_others_are_waited_for_all_the_same(pool: Pool) -> None:
    pool.is_mining = False
    first_look = iter([lambda: pool.mine(pool.seen[0])])
    pool.before["eth_getTransactionCount"] = lambda: pool.seen and next(first_look, lambda: None)()

    with pytest.raises(NotSent, match="call 2: not in a block"):
        await sender(pool, limit=0.2).send_all([call(1), call(2)])

    assert pool.effects() == [b"\1"]


@pytest.mark.parametrize("method", ["eth_getTransactionCount", "eth_getBlockByNumber"])
async def test_g12_send__node_does_not_answer_before__nothing_is_sent(pool: Pool, method: str) -> None:
    pool.hidden.add(method)

    with pytest.raises(NodeUnavailable):
        await sender(pool).send(call(1))

    assert pool.seen == []


def _refused(message: str, data: str | None = None) -> Refusal:
    return Refusal(message, data, code=-32000)

"""Transactions are swallowed, taken in silence, and refused as geth refuses them where anvil would not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from eth_account.signers.local import LocalAccount

from moorage.chain.rpc import NodeRefused, NodeUnavailable
from tests.chaos.schedule import Schedule
from tests.chaos.wire import Wire, open_wire

GWEI = 10**9


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with open_wire() as opened:
        yield opened


def signed(account: LocalAccount, nonce: int = 0, fee: int = 20 * GWEI, tip: int = 2 * GWEI) -> tuple[str, str]:
    """Return a transaction as it is sent, and its hash."""
    fields = {"type": 2, "chainId": 31337, "nonce": nonce, "to": account.address, "value": 0, "gas": 21_000}
    made = account.sign_transaction(fields | {"maxFeePerGas": fee, "maxPriorityFeePerGas": tip})
    return f"0x{bytes(made.raw_transaction).hex()}", f"0x{bytes(made.hash).hex()}"


async def test_swallow_tx__sent__hash_comes_back_and_nothing_arrives(wire: Wire) -> None:
    raw, known = signed(wire.chain.stranger)
    wire.proxy.add("swallow_tx")

    assert await wire.rpc.call("eth_sendRawTransaction", raw) == known

    await wire.chain.mine()
    assert await wire.chain.rpc.call("eth_getTransactionReceipt", known) is None


async def test_swallow_tx__third_of_five__the_others_arrive(wire: Wire) -> None:
    wire.proxy.add("swallow_tx", Schedule(skip=2, times=1))

    for nonce in range(5):
        await wire.rpc.call("eth_sendRawTransaction", signed(wire.chain.stranger, nonce)[0])
    await wire.chain.mine()

    assert await wire.chain.rpc.call("eth_getTransactionCount", wire.chain.stranger.address, "latest") == "0x2"


async def test_ack_late__sent__arrives_and_the_sender_does_not_know(wire: Wire) -> None:
    raw, known = signed(wire.chain.stranger)
    wire.proxy.add("ack_late")

    with pytest.raises(NodeUnavailable, match="504"):
        await wire.rpc.call("eth_sendRawTransaction", raw)

    await wire.chain.mine()
    assert (await wire.chain.rpc.call("eth_getTransactionReceipt", known))["status"] == "0x1"


BUMPS = [(105, 105, False), (110, 109, False), (109, 200, False), (110, 110, True), (113, 113, True)]


@pytest.mark.parametrize(("fee_percent", "tip_percent", "is_taken"), BUMPS)
async def test_geth_price_bump__replacement__needs_a_tenth_more_on_both_fees(
    wire: Wire, fee_percent: int, tip_percent: int, is_taken: bool
) -> None:
    wire.proxy.add("geth_price_bump")
    await wire.rpc.call("eth_sendRawTransaction", signed(wire.chain.stranger)[0])
    raw, known = signed(wire.chain.stranger, 0, 20 * GWEI * fee_percent // 100, 2 * GWEI * tip_percent // 100)

    if is_taken:
        assert await wire.rpc.call("eth_sendRawTransaction", raw) == known
    else:
        with pytest.raises(NodeRefused, match="replacement transaction underpriced"):
            await wire.rpc.call("eth_sendRawTransaction", raw)


async def test_geth_price_bump__without_it__anvil_takes_a_twentieth(wire: Wire) -> None:
    await wire.rpc.call("eth_sendRawTransaction", signed(wire.chain.stranger)[0])
    raw, known = signed(wire.chain.stranger, 0, 21 * GWEI, 21 * GWEI // 10)

    assert await wire.rpc.call("eth_sendRawTransaction", raw) == known


async def test_geth_price_bump__the_same_again__is_already_known(wire: Wire) -> None:
    wire.proxy.add("geth_price_bump")
    raw, _ = signed(wire.chain.stranger)
    await wire.rpc.call("eth_sendRawTransaction", raw)

    with pytest.raises(NodeRefused, match="already known"):
        await wire.rpc.call("eth_sendRawTransaction", raw)


async def test_geth_price_bump__other_nonce_or_other_sender__is_no_replacement(wire: Wire) -> None:
    wire.proxy.add("geth_price_bump")

    for account, nonce in ((wire.chain.stranger, 0), (wire.chain.stranger, 1), (wire.chain.facilitator, 0)):
        raw, known = signed(account, nonce)
        assert await wire.rpc.call("eth_sendRawTransaction", raw) == known

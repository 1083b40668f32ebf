"""A node that is behind, goes back, or limits what it says, is so in every method that could give it away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from moorage.chain.rpc import NodeRefused
from tests.chaos.view_faults import Hidden, Lag, RangeLimit, Rollback, WrongChainId
from tests.chaos.wire import TRANSFERS, Wire, open_wire

LAG = 3


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[Wire]:
    async with open_wire() as opened:
        yield opened


@pytest.fixture
def wire(opened: Wire) -> Wire:
    opened.proxy.clear()
    return opened


async def block_hash(wire: Wire, number: int) -> str:
    return str((await wire.chain.rpc.call("eth_getBlockByNumber", hex(number), False))["hash"])


async def test_lag__heads__are_so_many_behind(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add(Lag(LAG))

    newest = await wire.rpc.call("eth_getBlockByNumber", "latest", False)
    final = await wire.rpc.call("eth_getBlockByNumber", "finalized", False)

    assert int(await wire.rpc.call("eth_blockNumber"), 16) == head - LAG
    assert newest["hash"] == await block_hash(wire, head - LAG)
    assert final["hash"] == await block_hash(wire, head - LAG - 2)


async def test_lag__later_blocks__are_null_and_earlier_ones_are_there(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add(Lag(LAG))

    assert await wire.rpc.call("eth_getBlockByNumber", hex(head), False) is None
    assert await wire.rpc.call("eth_getBlockByHash", await block_hash(wire, head), False) is None
    assert (await wire.rpc.call("eth_getBlockByNumber", hex(head - LAG), False))["number"] == hex(head - LAG)


async def test_lag__later_ranges_of_logs__are_empty_and_earlier_ones_are_not(wire: Wire) -> None:
    for _ in range(LAG + 1):
        await wire.transfer()
    head = await wire.chain.block_number()
    true = await wire.true_logs()
    wire.proxy.add(Lag(LAG))

    assert await wire.logs(head - LAG + 1, head) == []
    assert await wire.logs(0, head) == true[:-LAG]
    assert await wire.logs(0) == true[:-LAG]


async def test_lag__logs_by_hash__later_ones_are_of_an_unknown_block(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add(Lag(LAG))

    with pytest.raises(NodeRefused, match="unknown block"):
        await wire.rpc.call("eth_getLogs", {"blockHash": await block_hash(wire, head)})
    query = {"blockHash": await block_hash(wire, head - LAG)}
    assert await wire.rpc.call("eth_getLogs", query) == await wire.chain.rpc.call("eth_getLogs", query)


async def test_lag__state__is_of_the_block_that_it_is_at(wire: Wire) -> None:
    head = await wire.chain.block_number()
    query = {"to": wire.token, "data": f"0x70a08231{wire.chain.tenant.address[2:].lower():0>64}"}
    held = await wire.chain.rpc.call("eth_call", query, hex(head - LAG))
    wire.proxy.add(Lag(LAG))

    assert await wire.rpc.call("eth_call", query, "latest") == held
    assert await wire.rpc.call("eth_call", query) == held
    for later in (hex(head), {"blockHash": await block_hash(wire, head), "requireCanonical": True}):
        with pytest.raises(NodeRefused, match="header not found"):
            await wire.rpc.call("eth_call", query, later)
    earlier = {"blockHash": await block_hash(wire, head - LAG), "requireCanonical": True}
    assert await wire.rpc.call("eth_call", query, earlier) == held


async def test_lag__receipt_of_a_later_block__is_not_there_yet(wire: Wire) -> None:
    transaction = await wire.transfer()
    wire.proxy.add(Lag(LAG))

    assert await wire.rpc.call("eth_getTransactionReceipt", transaction) is None
    await wire.chain.mine(LAG)
    assert (await wire.rpc.call("eth_getTransactionReceipt", transaction))["transactionHash"] == transaction


async def test_lag__mined_on__follows_at_its_distance(wire: Wire) -> None:
    wire.proxy.add(Lag(LAG))
    before = int(await wire.rpc.call("eth_blockNumber"), 16)

    await wire.chain.mine(2)

    assert int(await wire.rpc.call("eth_blockNumber"), 16) == before + 2


async def test_rollback__mined_on__stays_where_it_went_back_to(wire: Wire) -> None:
    head = await wire.chain.block_number()
    wire.proxy.add(Rollback(LAG))

    seen = []
    for _ in range(3):
        seen.append(int(await wire.rpc.call("eth_blockNumber"), 16))
        await wire.chain.mine()
    wire.proxy.clear()

    assert seen == [head - LAG] * 3
    assert int(await wire.rpc.call("eth_blockNumber"), 16) == head + 3


async def test_wrong_chain_id__both_methods__say_another_chain(wire: Wire) -> None:
    wire.proxy.add(WrongChainId(5))

    assert (await wire.rpc.call("eth_chainId"), await wire.rpc.call("net_version")) == ("0x5", "5")


async def test_hidden__methods__are_not_found_and_others_are(wire: Wire) -> None:
    wire.proxy.add(Hidden())

    for method in ("eth_feeHistory", "eth_subscribe"):
        with pytest.raises(NodeRefused) as refusal:
            await wire.rpc.call(method)
        assert refusal.value.code == -32601
    assert await wire.rpc.call("eth_chainId") == "0x7a69"


async def test_range_limit__too_many_blocks_or_results__is_refused_and_a_part_is_not(wire: Wire) -> None:
    last = TRANSFERS + 1  # each block up to this one has a log
    wire.proxy.add(RangeLimit(results=4, blocks=8))

    for first in (last - 8, last - 4):
        with pytest.raises(NodeRefused, match="query returned more than 10000 results"):
            await wire.logs(first, last)
    assert len(await wire.logs(last - 3, last)) == 4
    assert len(await wire.rpc.call("eth_getLogs", {"blockHash": await block_hash(wire, last)})) == 1

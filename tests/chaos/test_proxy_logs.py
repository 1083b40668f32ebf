"""Logs are withheld, doubled, turned round and made up, in answers to both kinds of questions for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.chaos.log_faults import FORGED_WORD, Drop, Duplicate, Forge, Reorder
from tests.chaos.wire import TRANSFER, Wire, open_wire

OTHER = b"\x01" * 32


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncIterator[Wire]:
    async with open_wire() as opened:
        yield opened


@pytest.fixture
def wire(opened: Wire) -> Wire:
    opened.proxy.clear()
    return opened


async def newest(wire: Wire) -> list[dict[str, Any]]:
    """Return the logs of the newest block, asked for by its hash."""
    block = await wire.chain.rpc.call("eth_getBlockByNumber", "latest", False)
    found = await wire.rpc.call("eth_getLogs", {"blockHash": block["hash"], "address": wire.token})
    assert isinstance(found, list)
    return found


async def test_drop__range_and_hash__give_nothing(wire: Wire) -> None:
    wire.proxy.add(Drop())

    assert await wire.logs() == []
    assert await newest(wire) == []


async def test_drop__of_one_event__leaves_the_others(wire: Wire) -> None:
    true = await wire.true_logs()
    wire.proxy.add(Drop(OTHER))

    assert await wire.logs() == true

    wire.proxy.add(Drop(TRANSFER))

    assert await wire.logs() == [log for log in true if log["topics"][0] != f"0x{TRANSFER.hex()}"] != true


async def test_duplicate__each_log__comes_twice_in_a_row(wire: Wire) -> None:
    true = await wire.true_logs()
    wire.proxy.add(Duplicate())

    assert await wire.logs() == [log for each in true for log in (each, each)]
    assert len(await newest(wire)) == 2


async def test_reorder__a_range__is_backwards(wire: Wire) -> None:
    true = await wire.true_logs()
    wire.proxy.add(Reorder())

    assert await wire.logs() == true[::-1] != true


async def test_forge__a_range__has_one_more_about_something_that_does_not_exist(wire: Wire) -> None:
    true = await wire.true_logs()
    wire.proxy.add(Forge())

    found = await wire.logs()

    assert found[:-1] == true
    assert found[-1] == true[-1] | {"topics": [true[-1]["topics"][0], FORGED_WORD, *true[-1]["topics"][2:]]}


async def test_forge__as_a_test_says__changes_what_it_wants(wire: Wire) -> None:
    wire.proxy.add(Forge(TRANSFER, edit=lambda log: log.update(data="0x00")))

    assert [log["data"] for log in await newest(wire)][1:] == ["0x00"]


async def test_faults__two_at_once__act_one_on_what_the_other_leaves(wire: Wire) -> None:
    true = await wire.true_logs()
    wire.proxy.add(Reorder())
    wire.proxy.add(Duplicate())

    found = await wire.logs()

    assert found == [log for each in true for log in (each, each)][::-1]

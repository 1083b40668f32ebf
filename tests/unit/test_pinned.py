"""Reads of one block behind an address with several nodes, some of which lack it."""

from __future__ import annotations

import pytest

from moorage.chain import pinned
from moorage.chain.pinned import ATTEMPTS, read_pinned
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from tests.fakes.market_node import MarketNode

LACKS = NodeRefused(-32000, "header not found", None)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned, "PAUSE_SECONDS", 0)


async def test_g16_read_pinned__some_nodes_lack_the_block__the_next_one_answers() -> None:
    node = MarketNode(faults={"eth_blockNumber": [LACKS] * (ATTEMPTS - 1)})

    assert await read_pinned(node, [("eth_blockNumber", ())]) == [hex(node.head.number)]


async def test_g16_read_pinned__all_lack_it__is_refused() -> None:
    node = MarketNode(faults={"eth_blockNumber": [LACKS] * 100})

    with pytest.raises(NodeRefused, match="header not found"):
        await read_pinned(node, [("eth_blockNumber", ())])
    assert node.count("eth_blockNumber") == ATTEMPTS


async def test_g12_read_pinned__no_answer__is_not_asked_again_at_once() -> None:
    node = MarketNode(faults={"eth_blockNumber": [NodeUnavailable("no answer")]})

    with pytest.raises(NodeUnavailable):
        await read_pinned(node, [("eth_blockNumber", ())])
    assert node.count("eth_blockNumber") == 1

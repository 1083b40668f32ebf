"""Events that a node withholds at first: they are found by asking again, whatever else was or was not told."""

from __future__ import annotations

import pytest

from moorage.chain import abi
from moorage.chain.index import LogIndex, read_block
from moorage.chain.logs import EventLog, Happening
from moorage.chain.pinned import ATTEMPTS
from moorage.chain.reader import MarketReader, MarketUnreadable
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.chain.second_look import AGAIN_BLOCKS, SPAN_BLOCKS, SecondLook
from moorage.snapshot import Block
from moorage.types import OrderId
from tests.fakes.market_node import MARKET, Event, MarketNode, created, submitted
from tests.markets import TENANT

ORDER = OrderId(created()[1]["order"])
CONFIRMED: Event = ("LeaseConfirmed", {"lease": ORDER})
HAPPENING = Happening(10**6, *CONFIRMED)


def looking(node: MarketNode) -> SecondLook:
    return SecondLook(EventLog(node, MARKET.exchange, abi.load("Exchange")))


async def go_on(node: MarketNode, look: SecondLook, blocks: int) -> Block | None:
    """Let blocks pass, and return what was found at the last of them."""
    for _ in range(blocks):
        await look.look(node.add())
    return look.withheld


@pytest.mark.parametrize("again", range(len(AGAIN_BLOCKS)))
async def test_g13_look__event_withheld_and_given_later__is_found_at_the_next_look(again: int) -> None:
    node = MarketNode()
    look, block = looking(node), node.add()
    look.note(block.number, block, [])

    before = await go_on(node, look, AGAIN_BLOCKS[again] - 1)
    node.events[block.hash] = [CONFIRMED]
    after = await go_on(node, look, 1)

    assert (before, after) == (None, block)


async def test_look__nothing_was_withheld__asks_as_often_as_it_should() -> None:
    node = MarketNode()
    look = looking(node)
    for _ in range(3):
        block = node.add(CONFIRMED)
        look.note(block.number, block, [HAPPENING])

    found = await go_on(node, look, 2 * AGAIN_BLOCKS[-1])

    assert found is None
    assert node.count("eth_getLogs") == 3 * len(AGAIN_BLOCKS)


async def test_g13_look__fewer_events_than_before__nothing_was_withheld_then() -> None:
    node = MarketNode()
    look, block = looking(node), node.add(CONFIRMED, CONFIRMED)
    look.note(block.number, block, [HAPPENING] * 2)
    node.events[block.hash] = [CONFIRMED]

    assert await go_on(node, look, 2 * AGAIN_BLOCKS[-1]) is None


@pytest.mark.parametrize("fault", [NodeUnavailable("no answer"), NodeRefused(-32000, "busy", None)])
async def test_g12_look__node_does_not_answer__asks_at_the_next_block(fault: Exception) -> None:
    node = MarketNode()
    look, block = looking(node), node.add()
    look.note(block.number, block, [])
    node.events[block.hash] = [CONFIRMED]
    node.faults["eth_getLogs"] = [fault] * (ATTEMPTS if isinstance(fault, NodeRefused) else 1)

    assert await go_on(node, look, AGAIN_BLOCKS[0]) is None
    assert await go_on(node, look, 1) == block


async def test_g08_look__block_was_taken_back__is_not_asked_for() -> None:
    node = MarketNode()
    look, block = looking(node), node.add()
    look.note(block.number, block, [])

    look.forget(block.number - 1)
    await go_on(node, look, 2 * AGAIN_BLOCKS[-1])

    assert node.count("eth_getLogs") == 0


async def test_g25_look__node_that_never_answers__notes_do_not_pile_up() -> None:
    node = MarketNode()
    look = looking(node)

    def fail(*_: object) -> None:
        raise NodeUnavailable("no answer")

    node._eth_getLogs = fail  # type: ignore[method-assign,assignment]
    for _ in range(500):
        block = node.add()
        look.note(block.number, block, [])
        await look.look(block)

    assert len(look._notes) <= SPAN_BLOCKS + AGAIN_BLOCKS[0] + 1


async def test_g13_follow__newest_events_withheld_at_the_start__are_found_and_old_ones_are_not_asked_for() -> None:
    node = MarketNode()
    for _ in range(3 * SPAN_BLOCKS):
        node.add()
    young = node.add()
    index = LogIndex(node, MARKET)
    await index.follow(await read_block(node))
    node.events[young.hash] = [CONFIRMED]
    node.calls.clear()

    for _ in range(AGAIN_BLOCKS[0]):
        await index.second_look.look(node.add())

    assert index.second_look.withheld == young
    (query,) = [params[0] for method, params in node.calls if method == "eth_getLogs"]
    assert int(query["fromBlock"], 16) == young.number - SPAN_BLOCKS + 1


async def test_g10_snapshot__all_that_tells_of_an_order_is_withheld__it_is_there_after_the_next_look() -> None:
    node = MarketNode()
    node.views = {
        "order": lambda order: (1, 10_000, 61, 0, 0) if order == ORDER else (0, 0, 0, 0, 0),
        "deployment": lambda deployment: (TENANT, 1, 1, 1, 1, 50),
    }
    reader = MarketReader(node, MARKET)
    await reader.snapshot()
    block = node.add()
    await reader.snapshot()
    node.events[block.hash] = [submitted(), created()]
    node.add()
    assert list((await reader.snapshot()).orders) == []

    node.add()
    with pytest.raises(MarketUnreadable, match=f"withheld logs of block {block.number}"):
        await reader.snapshot()
    node.add()

    assert list((await reader.snapshot()).orders) == [ORDER]
    assert node.distrusted == 1

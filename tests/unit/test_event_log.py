"""Events as a node gives them: an answer that cannot be right is none."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.chain import abi
from moorage.chain.facts import READ_WHOLE
from moorage.chain.logs import EventLog, Happening
from moorage.chain.rpc import NodeUnavailable
from tests.fakes.market_node import EXCHANGE, FIRST, MARKET, MarketNode, bid

ORDER = b"\x11" * 32


def log_of(node: MarketNode) -> EventLog:
    return EventLog(node, MARKET.exchange, abi.load("Exchange"))


async def good_log() -> dict[str, Any]:
    node = MarketNode()
    node.add(bid(ORDER, 7))
    (log,) = await node.call("eth_getLogs", {"fromBlock": hex(FIRST + 1), "toBlock": hex(FIRST + 1)})
    assert isinstance(log, dict)
    return log


async def test_between__events__come_oldest_first_with_their_blocks() -> None:
    node = MarketNode()
    node.add(bid(ORDER, 7), bid(ORDER, 8))
    node.add(bid(ORDER, 9))

    found = await log_of(node).between(FIRST, FIRST + 2)

    assert [(each.block_number, each.arguments["provider"]) for each in found] == [
        (FIRST + 1, 7),
        (FIRST + 1, 8),
        (FIRST + 2, 9),
    ]


async def test_between__no_blocks__asks_nothing() -> None:
    node = MarketNode()

    assert await log_of(node).between(FIRST + 1, FIRST) == []
    assert node.calls == []


async def test_between__topics__are_asked_for() -> None:
    node = MarketNode()
    log = log_of(node)

    await log.between(1, 1, log.topic("FulfillmentSubmitted"), None, b"\x07" * 32)

    (params,) = [params for method, params in node.calls if method == "eth_getLogs"]
    assert params[0]["topics"] == [f"0x{log.topic('FulfillmentSubmitted').hex()}", None, f"0x{'07' * 32}"]


async def test_between__event_that_is_not_in_the_abi__is_passed_over() -> None:
    node, log = MarketNode(), await good_log()
    node._eth_getLogs = lambda query: [{**log, "topics": [f"0x{'99' * 32}"]}]  # type: ignore[method-assign]

    assert await log_of(node).between(FIRST, FIRST + 9) == []


async def test_between__address_in_another_case__is_the_same() -> None:
    node, log = MarketNode(), await good_log()
    node._eth_getLogs = lambda query: [{**log, "address": EXCHANGE}]  # type: ignore[method-assign]

    found = await log_of(node).between(FIRST, FIRST + 9)

    assert [type(each) for each in found] == [Happening]


NONSENSE: list[dict[str, Any]] = [
    {"blockNumber": "0x9"},
    {"blockNumber": "0x99"},
    {"blockNumber": None},
    {"blockNumber": 11},
    {"address": f"0x{'00' * 20}"},
    {"address": None},
    {"topics": None},
    {"topics": [7]},
    {"data": "0x"},
    {"data": None},
    {"data": "0xzz"},
]


@pytest.mark.parametrize("change", NONSENSE)
async def test_g13_between__log_that_cannot_be__is_unavailable(change: dict[str, Any]) -> None:
    node, log = MarketNode(), await good_log()
    node._eth_getLogs = lambda query: [log, {**log, **change}]  # type: ignore[method-assign]

    with pytest.raises(NodeUnavailable):
        await log_of(node).between(FIRST, FIRST + 9)


@pytest.mark.parametrize("answer", [None, 7, "logs", {"a": 1}, [None], [[]], [{}]])
async def test_g12_between__no_list_of_logs__is_unavailable(answer: Any) -> None:
    node = MarketNode()
    node._eth_getLogs = lambda query: answer  # type: ignore[method-assign]

    with pytest.raises(NodeUnavailable):
        await log_of(node).between(FIRST, FIRST + 9)


async def test_of_blocks__node_ignores_the_hash_and_gives_others__is_unavailable() -> None:
    node, log = MarketNode(), await good_log()
    head = node.add()
    node._eth_getLogs = lambda query: [{**log, "blockNumber": "0x1"}]  # type: ignore[method-assign]

    with pytest.raises(NodeUnavailable, match="another block than was asked for"):
        await log_of(node).of_blocks([head])


EVENTS = [event for event in abi.load("Exchange").events.values() if event.name not in READ_WHOLE]


def brief_log_of(node: MarketNode) -> EventLog:
    return EventLog(node, MARKET.exchange, abi.load("Exchange"), READ_WHOLE)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
async def test_between__events_that_are_not_read_whole__have_the_same_ids_and_numbers(event: abi.Event) -> None:
    values = {"bytes32": b"\x11" * 31 + b"\x07", "uint256": 2**200 + 7, "address": EXCHANGE, "uint256[]": [1, 2]}
    arguments = {name: values[kind] for name, kind in (*event.indexed, *event.data)}
    node = MarketNode()
    node.add((event.name, arguments))

    (found,) = await brief_log_of(node).between(FIRST, FIRST + 1)

    ids = {name: arguments[name] for name, kind in event.indexed if kind != "address"}
    assert (found.block_number, found.name, found.arguments) == (FIRST + 1, event.name, ids)


@pytest.mark.parametrize("event", ["FulfillmentSubmitted", "LeaseCreated", "LeaseConfirmed", "FulfillmentReleased"])
@pytest.mark.parametrize(
    "change",
    [
        lambda topics: topics[:-1],
        lambda topics: [*topics, topics[-1]],
        lambda topics: [*topics[:-1], topics[-1][:-2]],
        lambda topics: [*topics[:-1], "0x" + "g" * 64],
        lambda topics: [topics[0], "0x", *topics[2:]],
    ],
)
async def test_g12_between__topics_that_can_not_be_right__there_is_no_answer(event: str, change: Any) -> None:
    entry = next(each for each in EVENTS if each.name == event)
    node = MarketNode()
    node.add(
        (
            event,
            {name: 7 if kind == "uint256" else b"\x11" * 32 for name, kind in entry.data}
            | {
                name: 7 if kind == "uint256" else EXCHANGE if kind == "address" else ORDER
                for name, kind in entry.indexed
            }
            | ({"prices": [1]} if event == "FulfillmentSubmitted" else {"facilitator": EXCHANGE}),
        )
    )
    (log,) = await node.call("eth_getLogs", {"fromBlock": hex(FIRST + 1), "toBlock": hex(FIRST + 1)})
    node._eth_getLogs = lambda query: [log | {"topics": change(log["topics"])}]  # type: ignore[method-assign]

    with pytest.raises(NodeUnavailable):
        await brief_log_of(node).between(FIRST + 1, FIRST + 1)

"""What the logs of an exchange come to, also if the node lags, withholds, refuses, or its chain is reorganised."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage import terms
from moorage.chain import index as index_module
from moorage.chain import logs as logs_module
from moorage.chain.facts import DeploymentFacts, MarketFacts, OrderFacts
from moorage.chain.index import RECENT_BLOCKS, LogIndex, read_block
from moorage.chain.pinned import ATTEMPTS
from moorage.chain.rpc import LimitExceeded, NodeRefused, NodeUnavailable
from moorage.snapshot import Touched
from moorage.types import OrderId, ProviderNumber, Version
from tests.fakes.market_node import FIRST, MARKET, Event, MarketNode, bid, created, renewed, submitted, updated
from tests.markets import DEPLOYMENT, PARAMETERS, TENANT, make_group

ONE, TWO = Version(b"\x01" * 32), Version(b"\x02" * 32)
ORDER = OrderId(created()[1]["order"])
RENEWED = OrderId(b"\x77" * 32)
CONFIRMED: Event = ("LeaseConfirmed", {"lease": ORDER})
SILENT = NodeUnavailable("no answer")


async def followed(node: MarketNode, index: LogIndex | None = None) -> LogIndex:
    index = index or LogIndex(node, MARKET)
    await index.follow(await read_block(node))
    return index


def names(index: LogIndex) -> list[str]:
    return [happening.name for happening in index.facts.happenings]


async def test_follow__order_and_bids__are_known_with_their_terms() -> None:
    node, group = MarketNode(), make_group()
    node.add(submitted(ONE), created(group))
    node.add(bid(ORDER, 7), bid(ORDER, 8), bid(ORDER, 7))

    facts = (await followed(node)).facts

    key = terms.order_key(DEPLOYMENT, terms.nonce_of(0), 50, group, PARAMETERS)
    assert facts.deployments == {DEPLOYMENT: DeploymentFacts(DEPLOYMENT, TENANT, (ONE,), 1)}
    assert facts.orders == {ORDER: OrderFacts(ORDER, key, group, FIRST + 1, None)}
    assert facts.bidders == {ORDER: {ProviderNumber(7), ProviderNumber(8)}}


async def test_follow__order_re_created_twice__keeps_its_terms_and_names_what_it_replaced() -> None:
    node, again = MarketNode(), OrderId(b"\x78" * 32)
    node.add(submitted(), created())
    node.add(renewed(RENEWED, ORDER))
    node.add(renewed(again, RENEWED))

    orders = (await followed(node)).facts.orders

    first, second, third = orders[ORDER], orders[RENEWED], orders[again]
    assert (second.replaced, third.replaced) == (ORDER, RENEWED)
    assert (second.key.nonce, third.key.nonce) == (ORDER, RENEWED)
    assert first.key.terms == second.key.terms == third.key.terms
    assert first.group == second.group == third.group
    assert (second.created_block, third.created_block) == (FIRST + 2, FIRST + 3)


async def test_follow__updates__keep_all_versions_in_order() -> None:
    node = MarketNode()
    node.add(submitted(ONE))
    node.add(updated(TWO, 2), updated(ONE, 3))

    deployment = (await followed(node)).facts.deployments[DEPLOYMENT]

    assert (deployment.versions, deployment.version, deployment.update_number) == ((ONE, TWO, ONE), ONE, 3)


@given(st.binary(min_size=0, max_size=32).filter(lambda name: not name.endswith(b"\0")))
def test_g20_facts__group_with_any_bytes_as_its_name__has_the_key_of_the_exchange(name: bytes) -> None:
    facts = MarketFacts(PARAMETERS)
    event, arguments = created(name=name)

    facts.apply([logs_module.Happening(1, *submitted()), logs_module.Happening(1, event, arguments)])

    (order,) = facts.orders.values()
    assert terms.order_id(order.key) == order.id
    assert terms.group_tuple(order.group)[0] == name.ljust(32, b"\0")


async def test_follow__events_of_no_interest__are_history_only() -> None:
    node = MarketNode()
    node.add(CONFIRMED)

    index = await followed(node)

    assert (index.facts.orders, names(index)) == ({}, ["LeaseConfirmed"])


async def test_g25_follow__history_not_kept__does_not_grow() -> None:
    node = MarketNode()
    node.add(submitted(), created())
    index = await followed(node, LogIndex(node, MARKET, keeps_history=False))
    node.add(CONFIRMED)

    await followed(node, index)

    assert (names(index), list(index.facts.orders)) == ([], [ORDER])


async def test_follow__nothing_new__reads_no_logs() -> None:
    node = MarketNode()
    index = await followed(node)
    before = node.count("eth_getLogs")

    await followed(node, index)

    assert node.count("eth_getLogs") == before


@pytest.mark.parametrize("ranges", [1, 3, 100])
async def test_g17_follow__node_limits_its_answers__asks_for_less(ranges: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "RANGE_BLOCKS", ranges)
    node = MarketNode(most_logs=2)
    for _ in range(20):
        node.add(CONFIRMED)

    assert names(await followed(node)) == ["LeaseConfirmed"] * 20


async def test_g17_follow__limit_has_the_code_of_overload__asks_for_less() -> None:
    node = MarketNode(most_logs=2, limit_fault=LimitExceeded("query returned more than 10000 results"))
    for _ in range(20):
        node.add(CONFIRMED)

    assert names(await followed(node)) == ["LeaseConfirmed"] * 20


async def test_g17_follow__node_is_overloaded__is_unavailable_after_a_few_questions() -> None:
    node = MarketNode(most_logs=-1, limit_fault=LimitExceeded("too many requests"))
    for _ in range(3_000):
        node.add()

    with pytest.raises(NodeUnavailable, match="too many requests"):
        await followed(node)

    assert node.count("eth_getLogs") < 20


async def test_g17_follow__one_block_is_refused__is_unavailable_after_a_few_questions() -> None:
    node = MarketNode(most_logs=0)
    node.add(CONFIRMED)
    node.add()
    for _ in range(3_000):
        node.add()

    with pytest.raises(NodeUnavailable, match="could not be read: query returned more than 10000 results"):
        await followed(node)

    assert node.count("eth_getLogs") < 50


@pytest.mark.parametrize("depth", [1, 2])
async def test_g08_follow__reorganised__what_the_other_branch_told_is_taken_back(depth: int) -> None:
    node = MarketNode()
    index = await followed(node)
    for events in ([submitted(), created()], [bid(ORDER, 7)]):
        node.add(*events)
        await followed(node, index)
    index.take_touched()
    node.calls.clear()
    assert index.reorganisations == 0

    node.reorganise(depth, *[[]] * (depth - 1), [submitted(TWO)], [])
    await followed(node, index)

    assert index.take_touched() == Touched(frozenset([ORDER]), frozenset([DEPLOYMENT]))
    assert all("blockHash" in params[0] for method, params in node.calls if method == "eth_getLogs")
    assert index.facts.bidders == {}
    assert list(index.facts.orders) == ([ORDER] if depth == 1 else [])
    assert index.facts.deployments[DEPLOYMENT].version == TWO
    assert index.block == node.head
    assert index.reorganisations == 1


async def test_g08_follow__reorganised_to_a_shorter_chain__facts_are_those_of_it() -> None:
    node = MarketNode()
    node.add(submitted(), created())
    node.add(bid(ORDER, 7))
    index = await followed(node)

    node.reorganise(2, [submitted(TWO)])
    await followed(node, index)

    assert (index.block, index.facts.orders, index.facts.bidders) == (node.head, {}, {})


async def test_g16_follow__node_falls_behind__what_is_known_stays_known() -> None:
    node = MarketNode()
    node.add(submitted(), created())
    index = await followed(node)
    node.add(bid(ORDER, 7))
    await followed(node, index)
    block, node.lag = index.block, 1
    index.take_touched()

    await followed(node, index)

    assert (index.take_touched(), index.block) == (Touched(), block)
    assert index.facts.bidders == {ORDER: {7}}


async def test_g13_follow__node_lacks_the_newest_block__is_unavailable_and_not_without_news() -> None:
    node = MarketNode()
    index = await followed(node)
    head = node.add(submitted())
    node.lag = 1

    with pytest.raises(NodeUnavailable, match="unknown block"):
        await index.follow(head)

    node.lag = 0
    assert list((await followed(node, index)).facts.deployments) == [DEPLOYMENT]


@pytest.mark.parametrize("fault", [SILENT, NodeRefused(-32000, "busy", None)])
@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_getLogs"])
async def test_g12_follow__node_fails__nothing_is_forgotten_or_taken_twice(method: str, fault: Exception) -> None:
    node = MarketNode()
    node.add(submitted(), created())
    index = await followed(node)
    head = node.add(CONFIRMED)
    node.reorganise(1, [CONFIRMED], [CONFIRMED])
    head = node.head
    node.faults[method] = [None, *[fault] * ATTEMPTS] if method == "eth_getLogs" else [fault]

    with pytest.raises(NodeUnavailable):
        await index.follow(head)
    node.faults.clear()
    assert list(index.facts.orders) == [ORDER]
    await index.follow(head)

    assert names(index) == ["DeploymentSubmitted", "OrderCreated", "LeaseConfirmed", "LeaseConfirmed"]


@pytest.mark.parametrize("withheld", [[created()], [updated(TWO, 2)], [submitted(), renewed(RENEWED, ORDER)]])
async def test_g13_follow__event_about_something_unknown__reads_all_logs_again(withheld: list[Event]) -> None:
    node = MarketNode()
    index = await followed(node)
    block = node.add(*withheld)
    whole = [submitted(), created(), updated(TWO, 2), renewed(RENEWED, ORDER)]
    with pytest.raises(NodeUnavailable, match="withheld"):
        await followed(node, index)
    assert index.block is None

    node.events[block.hash] = whole
    await followed(node, index)

    assert names(index) == [name for name, _ in whole]


async def test_follow__long_chain__remembers_few_blocks() -> None:
    node = MarketNode()
    index = await followed(node)
    for _ in range(3 * RECENT_BLOCKS):
        node.add()
        await followed(node, index)

    assert len(index._steps) == RECENT_BLOCKS


@pytest.mark.parametrize("depth", [RECENT_BLOCKS - 1, RECENT_BLOCKS + 5])
async def test_g08_follow__reorganised_deeply__facts_are_those_of_the_new_branch(depth: int) -> None:
    node = MarketNode()
    index = await followed(node)
    node.add(submitted(), created())
    for number in range(RECENT_BLOCKS + 10):
        node.add(*([bid(ORDER, number)] if number % 3 == 0 else []))
        await followed(node, index)

    node.reorganise(depth, *[[bid(ORDER, 1_000 + number)] for number in range(depth + 1)])
    await followed(node, index)

    assert index.facts == (await followed(node)).facts


async def test_g16_follow__blocks_of_two_branches_at_once__is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load balancer asks one node for a block and another one for the next."""
    node = MarketNode()
    index = await followed(node)
    for _ in range(3):
        node.add()
    good, node.blocks[-2] = node.blocks[-2], replace(node.blocks[-2], hash=b"\x66" * 32)

    with pytest.raises(NodeUnavailable, match="different branches"):
        await index.follow(node.head)

    node.blocks[-2] = good
    await index.follow(node.head)
    assert index.block == node.head


def long_history() -> MarketNode:
    """Return a node with events in one of five blocks."""
    node = MarketNode()
    node.add(submitted(), created())
    for number in range(200):
        node.add(*([bid(ORDER, number)] if number % 5 == 0 else []))
    return node


async def test_follow__history_takes_longer_than_there_is_time__is_read_on_from_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "RANGE_BLOCKS", 20)
    node = long_history()
    index = LogIndex(node, MARKET, patience_seconds=0)

    failures = 0
    while index.block is None:
        with suppress(NodeUnavailable):
            await followed(node, index)
        failures += index.block is None
        node.add(updated(TWO, failures))

    assert failures == 7
    assert index.facts.happenings == (await followed(node)).facts.happenings[: len(index.facts.happenings)]
    firsts = [query[0]["fromBlock"] for name, query in node.calls if name == "eth_getLogs" and "fromBlock" in query[0]]
    assert len(firsts[:8]) == len(set(firsts[:8]))


async def test_follow__given_up_in_the_middle_of_a_history__goes_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "RANGE_BLOCKS", 20)
    node = long_history()
    node.faults["eth_getLogs"] = [None, None, None, SILENT]
    index = LogIndex(node, MARKET)
    with pytest.raises(NodeUnavailable):
        await followed(node, index)
    node.calls.clear()

    await followed(node, index)

    firsts = [query[0]["fromBlock"] for name, query in node.calls if name == "eth_getLogs" and "fromBlock" in query[0]]
    assert firsts[0] == hex(FIRST + 40)
    assert index.facts.happenings == (await followed(node)).facts.happenings


async def test_follow__distrusted_in_the_middle_of_a_history__begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "RANGE_BLOCKS", 20)
    node = long_history()
    index = LogIndex(node, MARKET, patience_seconds=0)
    with pytest.raises(NodeUnavailable, match=f"up to block {FIRST + 19}"):
        await followed(node, index)

    index.distrust()

    with pytest.raises(NodeUnavailable, match=f"up to block {FIRST + 19}"):
        await followed(node, index)

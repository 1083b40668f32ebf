"""Snapshots: all of one block, or none; and nothing is concluded from a node that does not say everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from moorage.chain.index import RECENT_BLOCKS
from moorage.chain.pinned import ATTEMPTS
from moorage.chain.reader import IN_TURN, MarketReader, MarketUnreadable
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.types import DeploymentState, Fulfillment, Lease, OrderId, OrderState, Version
from tests.fakes.market_node import MARKET, MarketNode, bid, created, renewed, submitted, updated
from tests.markets import DEPLOYMENT, OTHERS, TENANT, US, make_group

ORDER = OrderId(created()[1]["order"])
RENEWED = OrderId(b"\x77" * 32)
NONE = (0, 0, 0, 0, 0)
NO_LEASE = (0, 0, 0, 0, False, 0, 0, 0, 0, False, False)
NO_BID = (0, 0, 0)
OPEN = (1, 10_000, 61, 1, 0)
STATES = {"closed": 2, "active": 3, "stale": 4, "closing": 5, "ended": 6}


def in_state(name: str) -> tuple[int, ...]:
    return (STATES[name], 0, 0, 0, 0)


def stale_row(earned: int, provider: int = US) -> tuple[Any, ...]:
    return (STATES["stale"], provider, 0, 0, False, 0, 0, 0, earned, False, False)


def lease_row(name: str, provider: int = US) -> tuple[Any, ...]:
    return (STATES[name], provider, 40, 7, False, 100, 150, 300, 2_000, False, False)


@dataclass
class World:
    """A node on which the exchange's storage is as a test says."""

    node: MarketNode = field(default_factory=MarketNode)
    orders: dict[bytes, Any] = field(default_factory=dict)
    leases: dict[bytes, Any] = field(default_factory=dict)
    locked: dict[tuple[bytes, int], Any] = field(default_factory=dict)
    deployment: tuple[Any, ...] = (TENANT, 1, 1, 1, 1, 50)

    def __post_init__(self) -> None:
        self.node.views = {
            "order": lambda order: self.orders.get(order, NONE),
            "lease": lambda lease: self.leases.get(lease, NO_LEASE),
            "fulfillment": lambda order, provider: self.locked.get((order, provider), NO_BID),
            "deployment": lambda deployment: self.deployment,
        }
        self.reader = MarketReader(self.node, MARKET, US)

    def set(self, name: str, live: int = 1, state: int = 1) -> None:
        """Move the order to a state."""
        self.orders[ORDER] = OPEN if name == "open" else in_state(name)
        self.leases[ORDER] = lease_row(name) if name in ("active", "closing") else NO_LEASE
        if name == "stale":
            self.leases[ORDER] = stale_row(earned=0)
        self.deployment = (TENANT, state, live, 1, 1, 50)
        self.tell()

    def tell(self) -> None:
        """Add a block with an event of the order."""
        self.node.add(("LeaseConfirmed", {"lease": ORDER}))


@pytest.fixture
def world() -> World:
    world = World()
    world.set("open")
    world.node.add(submitted(), created(), bid(ORDER, US))
    world.locked[ORDER, US] = (US, 40, 500)
    return world


async def test_snapshot__open_order__has_terms_and_place_in_the_book(world: World) -> None:
    snapshot = await world.reader.snapshot()

    order = snapshot.orders[ORDER]
    assert snapshot.block == world.node.head
    assert (order.match_block, order.bid_count, order.deposit, order.state) == (61, 1, 10_000, OrderState.OPEN)
    assert (order.max_charge_per_block, order.collateral, order.excluded_provider) == (40, 500, None)
    assert snapshot.fulfillments == {ORDER: Fulfillment(ORDER, US, 40, 500)}
    assert snapshot.deployments[DEPLOYMENT].state is DeploymentState.ACTIVE
    assert (snapshot.leases, snapshot.leased_orders) == ({}, {})


@pytest.mark.parametrize("state", ["active", "closing"])
async def test_snapshot__matched__is_a_lease_with_the_orders_terms(world: World, state: str) -> None:
    world.set(state)

    snapshot = await world.reader.snapshot()

    kind = OrderState.LEASE_ACTIVE if state == "active" else OrderState.LEASE_CLOSING
    assert snapshot.leases == {ORDER: Lease(ORDER, US, kind, 40, False, 100, 150, 300, remainder=7)}
    assert snapshot.orders == {}
    assert snapshot.key(ORDER) == world.reader.index.facts.orders[ORDER].key
    assert snapshot.leased_orders[ORDER].deposit == 0


@pytest.mark.parametrize("state", ["closed", "stale", "ended"])
async def test_snapshot__ended__is_gone_and_not_read_again(world: World, state: str) -> None:
    world.set(state, live=0)
    del world.locked[ORDER, US]
    await world.reader.snapshot()
    world.node.add()
    world.node.calls.clear()

    snapshot = await world.reader.snapshot()

    assert (snapshot.orders, snapshot.leases, snapshot.fulfillments) == ({}, {}, {})
    assert world.node.count("eth_call") == 0


async def test_g25_snapshot__ended_long_ago__is_forgotten(world: World) -> None:
    world.set("closed", live=0, state=3)
    del world.locked[ORDER, US]
    await world.reader.snapshot()
    assert list(world.reader.index.facts.orders) == [ORDER]

    for _ in range(RECENT_BLOCKS + 2):
        world.node.add()
        await world.reader.snapshot()

    facts = world.reader.index.facts
    assert (facts.orders, facts.bidders, facts.deployments, facts.orders_of) == ({}, {}, {}, {})


async def test_g25_snapshot__told_again_and_again_of_what_has_ended__it_is_forgotten_in_time(world: World) -> None:
    world.set("closed", live=0, state=3)
    del world.locked[ORDER, US]
    await world.reader.snapshot()

    for _ in range(RECENT_BLOCKS + 2):
        world.tell()
        await world.reader.snapshot()

    assert world.reader.index.facts.orders == {}
    assert len(world.reader._ended_orders) == 0


async def test_g10_snapshot__more_lives_than_is_read_at_a_block__everything_has_its_turn(world: World) -> None:
    orders = [created(make_group(), nonce) for nonce in range(1, 3 * IN_TURN)]
    world.node.add(*orders)
    world.orders |= {arguments["order"]: (1, 10_000, 61, 0, 0) for _, arguments in orders}
    world.deployment = (TENANT, 1, 3 * IN_TURN, 1, 1, 50)
    await world.reader.snapshot()

    rounds = []
    for _ in range(6):
        world.node.add()
        snapshot = await world.reader.snapshot()
        assert snapshot.touched is not None
        rounds.append(snapshot.touched.orders)

    assert all(len(each) == IN_TURN for each in rounds)
    assert len(frozenset().union(*rounds[:3])) == len(frozenset().union(*rounds[3:])) == 3 * IN_TURN


async def test_snapshot__nothing_told__costs_a_few_reads_whatever_lives(world: World) -> None:
    group = make_group()
    orders = [created(group, nonce) for nonce in range(1, 100)]
    world.node.add(*orders)
    world.orders |= {arguments["order"]: OPEN for _, arguments in orders}
    world.deployment = (TENANT, 1, 100, 1, 1, 50)
    for _, arguments in orders:
        world.node.events[world.node.head.hash].append(bid(arguments["order"], OTHERS))
    assert len((await world.reader.snapshot()).orders) == 100
    world.node.calls.clear()

    for _ in range(10):
        world.node.add()
        snapshot = await world.reader.snapshot()

    assert len(snapshot.orders) == 100
    assert snapshot.touched is not None and len(snapshot.touched.orders) <= IN_TURN + 1
    assert world.node.count("eth_call") <= 10 * (IN_TURN + 1 + 2)


async def test_g10_snapshot__event_missed_for_ever__is_made_good_for_in_turn(world: World) -> None:
    await world.reader.snapshot()
    world.orders[ORDER] = (1, 99_000, 61, 1, 0)

    world.node.add()

    assert (await world.reader.snapshot()).orders[ORDER].deposit == 99_000


@pytest.fixture
def nothing_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage.chain.reader.IN_TURN", 0)


@pytest.mark.usefixtures("nothing_in_turn")
async def test_g12_snapshot__block_could_not_be_read__what_it_told_is_read_with_the_next(world: World) -> None:
    await world.reader.snapshot()
    world.orders[ORDER] = (1, 99_000, 61, 1, 0)
    world.node.add(("OrderFunded", {"order": ORDER, "payer": TENANT, "amount": 1}))
    world.node.faults["eth_call"] = [NodeUnavailable("no")]
    with pytest.raises(NodeUnavailable):
        await world.reader.snapshot()
    world.node.add()

    assert (await world.reader.snapshot()).orders[ORDER].deposit == 99_000


@pytest.mark.usefixtures("nothing_in_turn")
async def test_snapshot__order_with_our_bid_may_be_matched__is_read_at_each_block(world: World) -> None:
    while world.node.head.number < 61:
        world.node.add()
    await world.reader.snapshot()
    world.node.add()
    world.orders[ORDER], world.leases[ORDER] = in_state("active"), lease_row("active")

    assert list((await world.reader.snapshot()).leases) == [ORDER]


@pytest.mark.parametrize("provider", [US, OTHERS])
async def test_snapshot__stale_lease_with_earnings__is_unclaimed_until_they_are_claimed(
    world: World, provider: int
) -> None:
    world.set("stale", live=0)
    world.leases[ORDER] = stale_row(2_000, provider)
    for _ in range(2):
        world.node.add()
        assert (await world.reader.snapshot()).unclaimed == ((ORDER,) if provider == US else ())

    world.leases[ORDER] = stale_row(0, provider)
    world.tell()
    assert (await world.reader.snapshot()).unclaimed == ()
    world.node.add()
    world.node.calls.clear()

    assert (await world.reader.snapshot()).unclaimed == ()
    assert world.node.count("eth_call") == 0


async def test_snapshot__deployment_closed__is_gone_and_not_read_again(world: World) -> None:
    world.set("closed", live=0, state=3)
    del world.locked[ORDER, US]
    await world.reader.snapshot()
    world.node.calls.clear()

    assert (await world.reader.snapshot()).deployments == {}
    assert world.node.count("eth_call") == 0


async def test_snapshot__bid_lost__is_there_until_its_collateral_has_moved(world: World) -> None:
    world.set("closed", live=0)
    assert (await world.reader.snapshot()).fulfillments == {ORDER: Fulfillment(ORDER, US, 40, 500)}

    del world.locked[ORDER, US]
    world.tell()

    assert (await world.reader.snapshot()).fulfillments == {}


async def test_snapshot__bids_of_others_or_no_provider_given__are_not_read(world: World) -> None:
    world.locked[ORDER, OTHERS] = (OTHERS, 39, 500)

    assert (await MarketReader(world.node, MARKET).snapshot()).fulfillments == {}
    assert (await MarketReader(world.node, MARKET, OTHERS).snapshot()).fulfillments == {}


async def test_snapshot__evicted_and_bid_again__is_there(world: World) -> None:
    bid_again = world.locked.pop((ORDER, US))
    assert (await world.reader.snapshot()).fulfillments == {}

    world.locked[ORDER, US] = bid_again

    assert (await world.reader.snapshot()).fulfillments == {ORDER: Fulfillment(ORDER, US, 40, 500)}


async def test_snapshot__re_created__has_the_new_order_and_who_may_not_bid(world: World) -> None:
    world.set("stale")
    world.node.add(renewed(RENEWED, ORDER))
    world.orders[RENEWED] = (1, 9_000, 80, 0, US)

    order = (await world.reader.snapshot()).orders[RENEWED]

    assert (order.excluded_provider, order.key.nonce) == (US, ORDER)


async def test_snapshot__reorganised__what_had_ended_lives_again(world: World) -> None:
    world.set("ended", live=0, state=3)
    world.node.add()
    await world.reader.snapshot()

    world.node.reorganise(1, [], [])
    world.set("active")

    assert list((await world.reader.snapshot()).leases) == [ORDER]


async def test_snapshot__all_reads__name_the_same_block_by_its_hash(world: World) -> None:
    head = world.node.head

    await world.reader.snapshot()

    tags = [params[1] for method, params in world.node.calls if method == "eth_call"]
    assert tags
    assert all(tag == {"blockHash": f"0x{head.hash.hex()}", "requireCanonical": True} for tag in tags)


FAULTS: list[Callable[[], Exception]] = [lambda: NodeUnavailable("no"), lambda: NodeRefused(-32000, "no", None)]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("method", "number"), [("eth_getBlockByNumber", 1), ("eth_getLogs", 1), ("eth_call", 4)])
async def test_g12_snapshot__any_one_answer_fails__there_is_none_and_then_the_right_one(
    world: World, method: str, number: int, fault: Callable[[], Exception]
) -> None:
    world.set("active")
    for successes in range(number):
        reader = MarketReader(world.node, MARKET, US)
        world.node.faults[method] = [*[None] * successes, *[fault() for _ in range(2 * ATTEMPTS * number)]]

        with pytest.raises(NodeUnavailable):
            await reader.snapshot()
        world.node.faults.clear()

        assert list((await reader.snapshot()).leases) == [ORDER]


@pytest.mark.parametrize("answer", [None, "0x", "0x00", "0xzz", 7, "0x" + "ff" * 31])
async def test_g12_snapshot__answer_is_nonsense__there_is_none(world: World, answer: Any) -> None:
    world.node._eth_call = lambda message, tag: answer  # type: ignore[method-assign]

    with pytest.raises(NodeUnavailable):
        await world.reader.snapshot()


async def test_g13_snapshot__log_of_an_order_withheld__is_noticed_and_all_logs_are_read_again(world: World) -> None:
    block = world.node.head
    events = world.node.events[block.hash]
    world.node.events[block.hash] = [events[0]]

    with pytest.raises(NodeUnavailable, match="live groups"):
        await world.reader.snapshot()
    world.node.events[block.hash] = events

    assert list((await world.reader.snapshot()).orders) == [ORDER]


@pytest.mark.parametrize("kept", [[1, 2], [0, 1]])
async def test_g13_snapshot__other_logs_withheld__are_noticed(world: World, kept: list[int]) -> None:
    block = world.node.head
    world.node.events[block.hash] = [world.node.events[block.hash][index] for index in kept]

    with pytest.raises(NodeUnavailable, match=r"do not agree|withheld"):
        await world.reader.snapshot()


async def test_g13_snapshot__log_of_an_update_withheld__is_noticed(world: World) -> None:
    await world.reader.snapshot()
    world.deployment = (TENANT, 1, 1, 1, 2, 50)
    head = world.node.add()

    with pytest.raises(NodeUnavailable, match="do not agree on deployment"):
        await world.reader.snapshot()
    world.node.events[head.hash] = [updated(b"\x02" * 32, 2)]

    assert (await world.reader.snapshot()).deployments[DEPLOYMENT].version == Version(b"\x02" * 32)


async def test_g13_snapshot__order_that_the_state_does_not_know__is_noticed(world: World) -> None:
    world.orders.clear()

    with pytest.raises(NodeUnavailable, match="do not agree on order"):
        await world.reader.snapshot()


async def test_snapshot__history_is_longer_than_the_time_for_it__is_told_with_the_block_and_read_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.chain.index.RANGE_BLOCKS", 40)
    for _ in range(100 + RECENT_BLOCKS):
        world.node.add()
    reader = MarketReader(world.node, MARKET, US, patience_seconds=0)

    for _ in range(2):
        with pytest.raises(MarketUnreadable) as raised:
            await reader.snapshot()
        assert raised.value.block == world.node.head

    assert (await reader.snapshot()).orders == (await world.reader.snapshot()).orders


async def test_g16_snapshot__node_falls_behind__there_is_none_until_it_is_back(world: World) -> None:
    await world.reader.snapshot()
    world.node.add()
    await world.reader.snapshot()

    world.node.lag = 1
    with pytest.raises(NodeUnavailable, match="the node is behind what it said before"):
        await world.reader.snapshot()

    world.node.lag = 0
    assert (await world.reader.snapshot()).block == world.node.head


class Witness:
    """Another node of the same blocks, on which the storage is as a test says."""

    def __init__(self, world: World, state: str) -> None:
        self.node = MarketNode()
        self.node.blocks, self.node.events = world.node.blocks, world.node.events
        self.node.views = {"order": lambda order: in_state(state)}
        world.node.others = (self.node,)


async def lease_ends(world: World, reads: int = 1) -> Any:
    world.set("active")
    await world.reader.snapshot()
    world.set("ended", live=0)
    return [await world.reader.snapshot() for _ in range(reads)][-1]


async def test_g12_g15_snapshot__another_node_says_that_our_lease_is_active__is_none(world: World) -> None:
    Witness(world, "active")

    with pytest.raises(NodeUnavailable, match=r"says that a lease is active which another node says is over"):
        await lease_ends(world)

    assert world.node.distrusted == 1


@pytest.mark.parametrize("state", ["ended", "stale", "closing"])
async def test_g15_snapshot__another_node_says_too_that_our_lease_is_over__it_is(world: World, state: str) -> None:
    witness = Witness(world, state)

    assert (await lease_ends(world)).leases == {}
    assert witness.node.count("eth_call") == 1


@pytest.mark.parametrize("error", [NodeUnavailable("no answer"), NodeRefused(-32000, "unknown block", None)])
async def test_g15_snapshot__another_node_does_not_say__the_first_is_believed(world: World, error: Exception) -> None:
    Witness(world, "active").node.faults["eth_call"] = [error] * ATTEMPTS

    assert (await lease_ends(world)).leases == {}


async def test_g15_snapshot__nothing_of_ours_has_ended__no_other_node_is_asked(world: World) -> None:
    witness = Witness(world, "active")
    world.set("active")

    for _ in range(3):
        world.tell()
        await world.reader.snapshot()

    assert witness.node.calls == []

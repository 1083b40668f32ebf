"""Bids that are decided by what has changed are those of a look at everything."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from moorage.snapshot import Snapshot, Touched
from moorage.types import ComputeUnit, DeploymentId, DeploymentState, Fulfillment, Order, OrderId
from provider_agent.core.admission import Admission, Limits
from provider_agent.core.bidding import Declined, SubmitFulfillment
from provider_agent.core.pricing import PricePolicy
from provider_agent.core.prospects import Prospects
from tests.markets import (
    OTHERS,
    US,
    look_at_everything,
    make_account,
    make_bid,
    make_deployment,
    make_group,
    make_lease,
    make_order,
    make_provider,
    make_snapshot,
)

PRICES = PricePolicy(Fraction(3, 100), Fraction(0), Fraction(0), minimum=1)
CAPACITY = ComputeUnit(5_000, 4 * 2**30, 5 * 10**9)
DEPLOYMENTS = (DeploymentId(b"\xd1" * 32), DeploymentId(b"\xd2" * 32))
ORDERS = [
    make_order(
        number,
        group=make_group(
            region=("local", "local", "local", "europe")[number % 4],
            price=29 if number == 6 else 40,
            collateral=(100, 300, 500)[number % 3],
            count=1 + number % 4,
        ),
        created_block=900 + number % 5,
        match_block=(950, 1_000, 1_010)[number % 3],
        excluded_provider=US if number == 5 else None,
        deployment=DEPLOYMENTS[number % 2],
    )
    for number in range(10)
]
NUMBERS = range(len(ORDERS))
STANDINGS = ("absent", "open", "open", "open", "bid", "won", "lost", "ours", "theirs")
STEPS = 40


def odd_blocks_only(snapshot: Snapshot, order: Order, prices: tuple[int, ...]) -> str | None:
    return None if (snapshot.block.number + order.id[0]) % 2 else "not now"


def world(block: int, standings: dict[int, str], states: list[DeploymentState]) -> Snapshot:
    def those(*names: str) -> list[Order]:
        return [ORDERS[number] for number, standing in standings.items() if standing in names]

    return make_snapshot(
        block,
        orders=those("open", "bid"),
        leases=[(order, make_lease(order)) for order in those("won", "ours")]
        + [(order, make_lease(order, provider=OTHERS)) for order in those("lost", "theirs")],
        deployments=[
            make_deployment(deployment=each, state=state) for each, state in zip(DEPLOYMENTS, states, strict=True)
        ],
        fulfillments=[make_bid(order.id, collateral=order.collateral) for order in those("bid", "won", "lost")],
    )


def by_everything(
    snapshot: Snapshot, provider: Any, account: Any, admission: Admission, offered: dict[OrderId, Fulfillment]
) -> tuple[SubmitFulfillment | Declined, ...]:
    new = {order: bid for order, bid in offered.items() if order not in snapshot.fulfillments}
    locked = sum(bid.collateral for bid in new.values())
    account = make_account(available=account.available - locked, committed=account.committed + locked)
    with_those = replace(snapshot, fulfillments={**new, **snapshot.fulfillments})
    return look_at_everything(with_those, provider, account, CAPACITY, PRICES, admission)


@given(st.integers(0, 2**32))
def test_prospects__any_changes__bids_are_those_of_a_look_at_everything(seed: int) -> None:
    chance = Random(seed)
    limits = Limits(
        longest_wait_blocks=chance.choice([None, 5, 20]),
        exposure=chance.choice([None, 500, 1_500]),
        exposure_per_lease=chance.choice([None, 400]),
    )
    admission = Admission(limits, chance.choice([None, odd_blocks_only]))
    prospects = Prospects(US, CAPACITY, PRICES, admission)
    standings, states = dict.fromkeys(NUMBERS, "open"), [DeploymentState.ACTIVE] * 2
    provider, available = make_provider(), 1_200
    offered: dict[OrderId, Fulfillment] = {}

    for step in range(STEPS):
        orders = {number: chance.choice(STANDINGS) for number in chance.sample(NUMBERS, chance.choice([0, 0, 1, 3]))}
        deployments = [at for at in range(2) if chance.random() < 0.1]
        orders |= {number: "bid" for number in NUMBERS if ORDERS[number].id in offered and chance.random() < 0.3}
        standings |= orders
        for at in deployments:
            is_active = states[at] is DeploymentState.ACTIVE
            states[at] = DeploymentState.CLOSING if is_active else DeploymentState.ACTIVE
        touched = Touched(frozenset(ORDERS[at].id for at in orders), frozenset(DEPLOYMENTS[at] for at in deployments))
        is_anew = step == 0 or chance.random() < 0.03
        snapshot = replace(world(960 + step, standings, states), touched=None if is_anew else touched)
        if chance.random() < 0.1:
            region, cap = chance.choice(["local", "local", "europe"]), chance.choice([800, 5_000, 5_000])
            provider = make_provider(region=region, collateral_cap=cap)
        available = chance.choice([available, available, 0, 400, 1_200])
        account = make_account(available=available)
        prospects.update(snapshot)
        if chance.random() < 0.2:  # the agent is drained, or the node has not answered
            continue
        decided = prospects.decide(snapshot, provider, account, offered)

        expected = by_everything(snapshot, provider, account, admission, offered)
        bids = [each for each in decided if isinstance(each, SubmitFulfillment)]
        assert bids == [each for each in expected if isinstance(each, SubmitFulfillment)]
        declined = {each.order for each in expected if isinstance(each, Declined)}
        assert prospects.declined.keys() - offered.keys() == declined
        # some of them are in blocks now, or were refused
        offered |= {each.order: make_bid(each.order, collateral=collateral_of(snapshot, each.order)) for each in bids}
        offered = {order: bid for order, bid in offered.items() if chance.random() < 0.5}


def collateral_of(snapshot: Snapshot, order: OrderId) -> int:
    return snapshot.orders[order].collateral


def test_prospects__thousands_of_orders__those_that_may_be_decided_otherwise_are_looked_at() -> None:
    asked: list[OrderId] = []

    def price(order: Order) -> Order:
        asked.append(order.id)
        return order

    class Orders(dict):
        def __getitem__(self, order: OrderId) -> Order:
            return price(super().__getitem__(order))

    orders = [make_order(number, group=make_group(collateral=500 + number)) for number in range(1_000)]
    prospects = Prospects(US, ComputeUnit(10**9, 2**60, 10**15), PRICES)

    def decide(block: int, available: int, *touched: Order) -> list[OrderId]:
        told = Touched(frozenset(order.id for order in touched)) if block > 1_000 else None
        snapshot = replace(make_snapshot(block, orders=orders), touched=told)
        snapshot = replace(snapshot, orders=Orders(snapshot.orders))
        prospects.update(snapshot)
        asked.clear()
        bids = prospects.decide(snapshot, make_provider(), make_account(available=available), {})
        return [each.order for each in bids if isinstance(each, SubmitFulfillment)]

    assert (decide(1_000, 0), len(prospects.declined)) == ([], 1_000)
    assert (decide(1_001, 499), asked) == ([], [])
    assert (decide(1_002, 0, orders[17]), set(asked)) == ([], {orders[17].id})
    assert (decide(1_003, 500), set(asked)) == ([orders[0].id], {orders[0].id})

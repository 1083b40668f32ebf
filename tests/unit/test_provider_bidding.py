"""On which orders an agent bids, at which price, and why not on others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from moorage.snapshot import Snapshot
from moorage.types import Account, ComputeUnit, DeploymentState, Order, OrderState, Provider, ResourceGroup
from provider_agent.core.admission import Admission, Limits
from provider_agent.core.bidding import Declined, SubmitFulfillment
from provider_agent.core.capacity import reserved, total
from provider_agent.core.pricing import PricePolicy, price_per_block
from tests.markets import (
    OTHERS,
    UNIT,
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

POLICY = PricePolicy(Fraction(3, 100), Fraction(0), Fraction(0), minimum=1)
"""30 ledger units per block for one core."""
LONGEST_WAIT = 100
ROOM_FOR_TWO = ComputeUnit(2_000, 2 * 2**30, 2 * 10**9)


def bids(
    snapshot: Snapshot,
    *,
    provider: Provider | None = None,
    account: Account | None = None,
    capacity: ComputeUnit = ROOM_FOR_TWO,
    policy: PricePolicy = POLICY,
) -> tuple[SubmitFulfillment | Declined, ...]:
    admission = Admission(Limits(longest_wait_blocks=LONGEST_WAIT))
    return look_at_everything(
        snapshot, provider or make_provider(), account or make_account(), capacity, policy, admission
    )


def bid_on(order: Order) -> SubmitFulfillment:
    return SubmitFulfillment(order.id, order.key, order.group, (30,))


def test_decide_bids__order_that_fits__gets_our_price() -> None:
    order = make_order()

    assert bids(make_snapshot(orders=[order])) == (bid_on(order),)


def test_decide_bids__order_that_has_our_bid__is_left_alone() -> None:
    order = make_order()

    assert bids(make_snapshot(orders=[order], fulfillments=[make_bid(order.id)])) == ()


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (make_order(group=make_group(region="europe")), "it wants another region"),
        (make_order(excluded_provider=US), "we let this lease go stale before"),
        (make_order(group=make_group(count=3, price=90)), "too little capacity is free"),
        (make_order(group=make_group(price=29)), "its maximum price is below ours"),
        (make_order(group=make_group(collateral=5_001)), "too little collateral is free"),
        (make_order(match_block=1_101), "its match is too far away"),
    ],
)
def test_c18_decide_bids__order_that_does_not_fit__is_declined_with_the_reason(order: Order, reason: str) -> None:
    assert bids(make_snapshot(orders=[order])) == (Declined(order.id, reason),)


def test_decide_bids__deployment_is_closing__is_declined() -> None:
    order = make_order()
    closing = make_deployment(state=DeploymentState.CLOSING)

    assert bids(make_snapshot(orders=[order], deployments=[closing])) == (
        Declined(order.id, "the deployment is closing"),
    )


def test_decide_bids__match_at_the_longest_wait__bids() -> None:
    order = make_order(match_block=1_100)

    assert bids(make_snapshot(orders=[order])) == (bid_on(order),)


def test_decide_bids__price_equals_the_maximum__bids() -> None:
    order = make_order(group=make_group(price=30))

    assert bids(make_snapshot(orders=[order])) == (bid_on(order),)


def test_c12_decide_bids__many_orders_at_once__never_promises_capacity_twice() -> None:
    orders = [make_order(number, created_block=900 + number) for number in range(30)]

    decisions = bids(make_snapshot(orders=orders))

    assert decisions[:2] == (bid_on(orders[0]), bid_on(orders[1]))
    assert {decision.reason for decision in decisions[2:] if isinstance(decision, Declined)} == {
        "too little capacity is free"
    }


def test_c18_decide_bids__many_orders_at_once__never_promises_collateral_twice() -> None:
    orders = [make_order(number, created_block=900 + number) for number in range(2)]

    decisions = bids(make_snapshot(orders=orders), account=make_account(available=999))

    assert decisions == (bid_on(orders[0]), Declined(orders[1].id, "too little collateral is free"))


def test_e09_decide_bids__cap_is_nearly_reached__counts_what_is_locked_and_what_was_lost() -> None:
    order = make_order()
    account = make_account(available=5_000, committed=501)

    decisions = bids(make_snapshot(orders=[order]), account=account, provider=make_provider(collateral_cap=1_000))

    assert decisions == (Declined(order.id, "the collateral cap leaves too little"),)


def test_e09_decide_bids__many_orders_at_once__never_promises_room_below_the_cap_twice() -> None:
    orders = [make_order(number, created_block=900 + number) for number in range(2)]

    decisions = bids(make_snapshot(orders=orders), provider=make_provider(collateral_cap=999))

    assert decisions == (bid_on(orders[0]), Declined(orders[1].id, "the collateral cap leaves too little"))


def test_decide_bids__full_book__still_tries_to_be_better() -> None:
    order = make_order(bid_count=32)

    assert bids(make_snapshot(orders=[order])) == (bid_on(order),)


def test_reserved__leases_and_live_bids_of_ours__count() -> None:
    leased, closing, elsewhere, bid = (make_order(number) for number in range(4))
    snapshot = make_snapshot(
        orders=[bid],
        leases=[
            (leased, make_lease(leased)),
            (closing, make_lease(closing, state=OrderState.LEASE_CLOSING)),
            (elsewhere, make_lease(elsewhere, provider=OTHERS)),
        ],
        fulfillments=[make_bid(bid.id), make_bid(leased.id), make_bid(elsewhere.id)],
    )

    assert reserved(snapshot, US) == ComputeUnit(3_000, 3 * 2**30, 3 * 10**9)


def test_total__several_resource_groups__adds_all_units() -> None:
    group = replace(make_group(), resources=(ResourceGroup(UNIT, 1, 1, 2), ResourceGroup(UNIT, 1, 1, 3)))

    assert total(group) == ComputeUnit(5_000, 5 * 2**30, 5 * 10**9)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (PricePolicy(Fraction(1, 1_000), Fraction(1, 2**30), Fraction(1, 10**9), 1), 3),
        (PricePolicy(Fraction(1, 3_000), Fraction(0), Fraction(0), 0), 1),  # a third, rounded up
        (PricePolicy(Fraction(1, 1_000), Fraction(0), Fraction(0), 25), 25),
    ],
)
def test_price_per_block__policy__is_applied_and_rounded_up(policy: PricePolicy, expected: int) -> None:
    assert price_per_block(UNIT, policy) == expected

"""Which orders an operator's settings and own functions keep from getting a bid, and what a faulty function can do."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from moorage.snapshot import Snapshot
from moorage.types import ComputeUnit, Order, ResourceGroup
from provider_agent.core.admission import Admission, Limits
from provider_agent.core.bidding import Declined, SubmitFulfillment
from provider_agent.core.pricing import PricePolicy, price_per_block
from tests.markets import (
    UNIT,
    look_at_everything,
    make_account,
    make_bid,
    make_group,
    make_order,
    make_provider,
    make_snapshot,
)

PRICES = PricePolicy(Fraction(3, 100), Fraction(0), Fraction(0), minimum=1)
"""30 ledger units per block for one core."""
CAPACITY = ComputeUnit(100_000, 100 * 2**30, 100 * 10**9)
TWO_UNITS = make_order(group=make_group(count=2))


def decide(admission: Admission | None, *orders: Order, **more: Any) -> tuple[SubmitFulfillment | Declined, ...]:
    snapshot = make_snapshot(orders=orders, **more)
    return look_at_everything(snapshot, make_provider(), make_account(), CAPACITY, PRICES, admission or Admission())


def bid_on(order: Order, *prices: int) -> SubmitFulfillment:
    return SubmitFulfillment(order.id, order.key, order.group, prices or (30,))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(exposure_per_lease=999), "it wants more collateral than we give for one lease"),
        (Limits(exposure_per_lease=1_000), None),
        (Limits(exposure=999), "our collateral at stake would be more than we allow"),
        (Limits(exposure=1_000), None),
        (Limits(exposure=0), "our collateral at stake would be more than we allow"),
        (Limits(smallest=ComputeUnit(2_001, 0, 0)), "it is smaller than what we take"),
        (Limits(smallest=ComputeUnit(0, 2**31 + 1, 0)), "it is smaller than what we take"),
        (Limits(smallest=ComputeUnit(2_000, 2**31, 0)), None),
        (Limits(largest_milli_cpu=1_999), "it is larger than what we take"),
        (Limits(largest_memory_bytes=2**31 - 1), "it is larger than what we take"),
        (Limits(largest_disk_bytes=2 * 10**9 - 1), "it is larger than what we take"),
        (Limits(largest_milli_cpu=2_000, largest_memory_bytes=2**31, largest_disk_bytes=2 * 10**9), None),
    ],
)
def test_admission__limits_of_the_settings__decline_what_is_beyond_them(limits: Limits, reason: str | None) -> None:
    decisions = decide(Admission(limits), TWO_UNITS)

    assert decisions == ((bid_on(TWO_UNITS),) if reason is None else (Declined(TWO_UNITS.id, reason),))


def test_admission__exposure__counts_locked_bids_and_those_of_this_decision() -> None:
    before, *new = (make_order(number, created_block=900 + number) for number in range(3))
    limits = Limits(exposure=1_000)

    decisions = decide(Admission(limits), before, *new, fulfillments=[make_bid(before.id)])

    assert decisions == (bid_on(new[0]), Declined(new[1].id, "our collateral at stake would be more than we allow"))


def test_admission__policy_of_the_operator__sees_snapshot_order_and_prices_and_its_reason_counts() -> None:
    small, large = make_order(0), make_order(1, group=make_group(price=99))
    seen = []

    def policy(snapshot: Snapshot, order: Order, prices: tuple[int, ...]) -> str | None:
        seen.append((snapshot.block.number, order.id, prices))
        return "not today" if order.id == large.id else None

    decisions = decide(Admission(policy=policy), small, large)

    assert set(decisions) == {bid_on(small), Declined(large.id, "not today")}
    assert sorted(seen) == sorted([(1_000, small.id, (30,)), (1_000, large.id, (30,))])


def test_admission__policy_of_the_operator__cannot_allow_what_is_impossible_or_beyond_limits() -> None:
    elsewhere = make_order(0, group=make_group(region="europe"))
    late = make_order(1, match_block=1_101)
    seen = []

    decisions = decide(
        Admission(Limits(longest_wait_blocks=100), policy=lambda *about: seen.append(about)), elsewhere, late
    )

    assert {each.reason for each in decisions if isinstance(each, Declined)} == {
        "it wants another region",
        "its match is too far away",
    }
    assert seen == []


def broken(*_: object) -> Any:
    raise RuntimeError("no\nsuch\x1b[2J table")


def leaves(*_: object) -> Any:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (broken, "the policy failed: RuntimeError: no such [2J table"),
        (leaves, "the policy failed: SystemExit: 3"),
        (lambda *_: False, "the policy has to return a reason or None, not bool"),
        (lambda *_: True, "the policy has to return a reason or None, not bool"),
        (lambda *_: "", "the policy gave no reason"),
        (lambda *_: "x" * 5_000, "x" * 200),
    ],
)
def test_g20_admission__policy_that_is_faulty__declines_and_the_next_order_is_looked_at(
    policy: Any, reason: str
) -> None:
    orders = [make_order(number, created_block=900 + number) for number in range(2)]

    assert decide(Admission(policy=policy), *orders) == tuple(Declined(order.id, reason) for order in orders)


def test_pricing__function_of_the_operator__takes_the_place_of_ours() -> None:
    order = make_order()

    def pricing(compute: ComputeUnit, policy: PricePolicy) -> int:
        return price_per_block(compute, policy) + 7

    assert decide(Admission(pricing=pricing), order) == (bid_on(order, 37),)


@pytest.mark.parametrize(
    ("pricing", "reason"),
    [
        (broken, "the pricing function failed: RuntimeError: no such [2J table"),
        *(
            (
                lambda *_, price=price: price,
                "the pricing function failed: BadPrice: "
                f"a price has to be a whole number of ledger units, 0 or more, not {price!r}",
            )
            for price in (-1, 1.5, None, True, "30")
        ),
    ],
)
def test_g20_pricing__function_that_is_faulty__declines_the_order(pricing: Any, reason: str) -> None:
    order = make_order()

    assert decide(Admission(pricing=pricing), order) == (Declined(order.id, reason),)


def test_pricing__several_resource_groups__prices_each() -> None:
    resources = (ResourceGroup(UNIT, 40, 1, 1), ResourceGroup(replace(UNIT, milli_cpu=500), 40, 1, 1))
    order = make_order(group=replace(make_group(), resources=resources))

    assert decide(None, order) == (bid_on(order, 30, 15),)

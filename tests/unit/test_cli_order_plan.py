"""What a deployment costs before it is submitted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from cli.core.order_plan import GroupPlan, OrderPlan, TooLong, check_span, describe_plan, plan_order
from moorage import terms, units
from moorage.types import MAX_MONEY
from tests.factories.deployments import MONEY, ONE, PARAMETERS, PERIOD, TIP, group


def test_plan__long_span__prepays_it_and_all_tips():
    plan = plan_order([group("a", price=40), group("b", price=60)], PARAMETERS, 1_000, 0)

    assert plan == OrderPlan(
        groups=(
            GroupPlan(group("a", price=40), 40, 1_000, 40_000 + TIP),
            GroupPlan(group("b", price=60), 60, 1_000, 60_000 + TIP),
        ),
        tips=5 * TIP,
        total=100_000 + 5 * TIP,
        available=0,
        missing_base_units=100_000 + 5 * TIP,
    )


@pytest.mark.parametrize(("span", "prepaid"), [(0, 2 * PERIOD), (2 * PERIOD, 2 * PERIOD), (2 * PERIOD + 1, 21)])
def test_plan__short_span__prepays_two_periods(span, prepaid):
    plan = plan_order([group(price=40)], PARAMETERS, span, 0)

    assert plan.groups[0].prepaid_blocks == prepaid
    assert plan.groups[0].deposit >= terms.minimum_deposit(group(price=40), PARAMETERS)


@pytest.mark.parametrize(
    ("price", "seconds_per_block", "most", "said"),
    [
        (40, 1, 2**32 - 1, "at most 1193046h: that is 4294967295 blocks, a lease has no more"),
        (40, 12, 2**32 - 1, "at most 14316557h: that is 4294967295 blocks, a lease has no more"),
        (2**79, 1, 65_535, "at most 18h: that is 65535 blocks, the exchange can hold no more than they cost"),
    ],
)
def test_span__longer_than_anybody_can_prepay__is_refused_with_the_longest(price, seconds_per_block, most, said):
    groups = [group("a", price=price), group("b", price=price)]
    block_time = Fraction(seconds_per_block)

    check_span(groups, PARAMETERS, most, block_time)
    assert plan_order(groups, PARAMETERS, most, 0).total <= MAX_MONEY
    with pytest.raises(TooLong) as refused:
        check_span(groups, PARAMETERS, most + 1, block_time)

    assert str(refused.value) == said
    typed = units.parse_duration(said.split()[2].rstrip(":"))
    check_span(groups, PARAMETERS, units.to_blocks(typed, block_time), block_time)


def test_span__below_two_periods_that_cost_too_much__is_left_to_the_exchange():
    check_span([group(price=2**92)], PARAMETERS, 2 * PERIOD, Fraction(1))


def test_plan__interest_on_collateral__is_in_the_charge():
    parameters = replace(PARAMETERS, collateral_interest_rate=10**9)

    plan = plan_order([group(price=40, collateral=ONE)], parameters, 100, 0)

    assert plan.max_charge_per_block == 40 + 10**9


@pytest.mark.parametrize(("available", "missing"), [(0, 4_300), (4_299, 1), (4_300, 0), (9_999, 0)])
def test_plan__money_in_the_account__only_the_rest_is_missing(available, missing):
    assert plan_order([group(price=40)], PARAMETERS, 100, available).missing_base_units == missing


def test_plan__token_with_6_decimals__missing_is_rounded_up_to_what_it_can_move():
    parameters = replace(PARAMETERS, token_decimals=6)

    plan = plan_order([group(price=10**12)], parameters, 100, 0)

    assert (plan.total, plan.missing_base_units) == (100 * 10**12 + 300, 101)


def test_plan__described__says_what_is_paid_and_what_comes_back():
    plan = plan_order([group(price=ONE // 3_600, count=2)], PARAMETERS, 86_400, ONE)

    lines = describe_plan(plan, MONEY, 47 * ONE)

    assert lines == [
        "group west in local, replaced if its provider fails: at most 2 MOOR/h, collateral 48 MOOR",
        "  2 x 500m cpu, 256MiB memory, 1GB disk, at most 1 MOOR/h each",
        "cost at the maximum price  2 MOOR/h, 48 MOOR/day, 1,440 MOOR/30 days",
        "prepaid                    1d (86400 blocks); lower bids make it last longer",
        "taken from your account    48 MOOR, tips of 0.000001 MOOR included",
        "in your account now        1 MOOR",
        "paid in from your wallet   47 MOOR",
        "what comes back            what was not used at `moorage delete`, unearned tips,",
        "                           the collateral of a provider that fails",
    ]


def test_plan__update__takes_no_second_tip_for_the_closing():
    plan = plan_order([group("a", price=40), group("b", price=60)], PARAMETERS, 1_000, 0, is_update=True)

    assert (plan.total, plan.tips) == (100_000 + 4 * TIP, 4 * TIP)
    assert plan_order([], PARAMETERS, 1_000, 0, is_update=True).total == 0

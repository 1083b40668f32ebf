"""What a deployment costs, what is locked and what would come back."""

from __future__ import annotations

import pytest

from cli.core.changes import compare
from cli.core.costs import (
    Locked,
    Rate,
    comes_back,
    describe_ends,
    describe_most,
    describe_rate,
    locked,
    most_document,
    per_hours,
    rate_document,
    rate_of,
)
from moorage.types import OrderState
from tests.factories.deployments import HOURLY, MONEY, PARAMETERS, TIP, attempt, group, lease, view
from tests.factories.workloads import manifest, workload

NOTHING = manifest(workload("web"))
CHEAP = attempt(lease=lease(charge_per_block=HOURLY // 2))


def changes(here, *groups):
    return compare(here, NOTHING, groups, 6, NOTHING, MONEY)


def test_rate__nothing_on_chain__has_the_maximum_alone():
    assert rate_of([group("a", count=2), group("b")], PARAMETERS, None) == Rate(3 * HOURLY, None)


def test_rate__lease_goes_on__counts_its_price_and_the_maximum_of_the_rest():
    groups = [group(), group("east")]

    assert rate_of(groups, PARAMETERS, changes(view(CHEAP), *groups)) == Rate(2 * HOURLY, HOURLY // 2 + HOURLY)


@pytest.mark.parametrize("one", [CHEAP, attempt(OrderState.OPEN)])
def test_rate__lease_ends_or_is_none_yet__does_not_count(one):
    groups = [group(price=2 * HOURLY)]

    assert rate_of(groups, PARAMETERS, changes(view(one), *groups)) == Rate(2 * HOURLY, None)


def test_rate__in_words_and_for_programs__is_by_the_hour_the_day_and_30_days():
    rate = Rate(2 * HOURLY, HOURLY)

    assert describe_rate(rate, MONEY) == [
        "cost at the maximum price  2 MOOR/h, 48 MOOR/day, 1,440 MOOR/30 days",
        "cost at leases' prices     1 MOOR/h, 24 MOOR/day, 720 MOOR/30 days",
    ]
    assert rate_document(Rate(277_777_777_777_778, None), MONEY) == {
        "at_maximum_price": {
            "per_hour": "1.0000000000000008",
            "per_day": "24.0000000000000192",
            "per_month": "720.000000000000576",
        },
        "at_lease_prices": None,
    }


def test_most__interest_of_the_market__is_told_apart_from_what_the_file_says():
    assert describe_most(2 * HOURLY, HOURLY, MONEY) == "at most 2 MOOR/h, 1 MOOR/h of it interest on collateral"
    assert describe_most(2 * HOURLY, 0, MONEY) == "at most 2 MOOR/h"
    assert most_document(2 * HOURLY, HOURLY, MONEY) == {
        "token": "MOOR",
        "max_price_per_hour": MONEY.hourly_number(2 * HOURLY),
        "interest_per_hour": MONEY.hourly_number(HOURLY),
    }


def test_rate__too_little_for_six_decimals__is_not_nothing():
    assert per_hours(1, 1, MONEY) != "0 MOOR"


def test_locked__orders_and_leases__with_each_tip():
    open_order = attempt(OrderState.OPEN, 1, name="east", deposit=5_000)
    leased = attempt(lease=lease(charge_per_block=10, remainder=3))
    ended = attempt(OrderState.LEASE_CLOSED, 2, name="gone")

    assert locked(view(open_order, leased, ended, block=200)) == Locked(5_000 + 3_500 * 10 + 3, 3 * TIP)


def test_describe_ends__order_and_lease__name_the_group_and_what_comes_back_when():
    leased, ordered = attempt(name="east"), attempt(OrderState.OPEN, 1, name="west")
    on_chain = view(leased, ordered)

    words = describe_ends(on_chain, MONEY)

    orders, leases = (MONEY.amount(each) for each in comes_back(on_chain, [leased, ordered]))
    assert words[ordered.id] == f"group west: {orders} comes back if it ends now"
    once = "once its provider has confirmed the end"
    assert words[leased.id] == f"group east: {leases} comes back if it ends now, {once}"


def test_comes_back__orders_at_once_and_leases_later():
    open_order = attempt(OrderState.OPEN, 1, name="east", deposit=5_000)
    leased = attempt(lease=lease(charge_per_block=10))

    assert comes_back(view(open_order, leased, block=200), [open_order, leased]) == (5_000 + TIP, 35_000 + TIP)
    assert comes_back(view(open_order), []) == (0, 0)

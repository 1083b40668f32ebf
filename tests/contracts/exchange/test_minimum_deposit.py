"""The smallest deposit of an order: two periods of the maximum charge and the tip of its match."""

from __future__ import annotations

import pytest

from tests.contracts.market import MAX_CHARGE, PERIOD, TIP, UNKNOWN_ID, WAIT, Order, group_of, word_of


@pytest.mark.parametrize(
    ("group", "charge"),
    [
        (group_of(), 40),
        (group_of(price=1, count=1, collateral=TIP), 1),
        (group_of(collateral=10**6), 44),
        (group_of(price=MAX_CHARGE, count=1, collateral=TIP), MAX_CHARGE),
    ],
)
def test_minimum_deposit__terms__are_two_periods_and_a_tip(market, group, charge):
    order = Order(UNKNOWN_ID, word_of(0), WAIT, group)

    assert market.view("minimum_deposit", order.key) == 2 * PERIOD * charge + TIP


def test_minimum_deposit__key_of_zeros__is_the_tip(market):
    assert market.view("minimum_deposit", (word_of(0), word_of(0), 0, word_of(0))) == TIP

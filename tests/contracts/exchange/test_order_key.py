"""The key of an order: the packing of its terms, and what is refused as terms."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    EAST,
    MAX_BLOCKS,
    MAX_CHARGE,
    MAX_MONEY,
    UNKNOWN_ID,
    WEST,
    Group,
    Order,
    Resource,
    group_of,
    refusal,
    word_of,
)

GROUPS = [
    group_of(),
    group_of(persist=True, regions=WEST | EAST),
    group_of(regions=2**32 - 1, price=0, collateral=10**6),
    group_of(price=MAX_CHARGE, count=1, collateral=100),
    group_of(price=0, count=1, collateral=MAX_MONEY),
    Group(name=b"\xff" * 32, resources=[Resource(price=number, disk_bytes=0) for number in range(8)]),
]


@pytest.mark.parametrize("wait", [0, 1, MAX_BLOCKS])
@pytest.mark.parametrize("group", GROUPS)
def test_order_key__accepted_terms__are_packed(market, group, wait):
    order = Order(UNKNOWN_ID, word_of(3), wait, group)

    assert market.view("order_key", UNKNOWN_ID, word_of(3), wait, group) == order.key


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (Group(resources=()), "terms: no resources"),
        (group_of(regions=0), "terms: bad regions"),
        (group_of(regions=2**32), "terms: bad regions"),
        (group_of(count=0), "terms: bad resource group"),
        (group_of(count=1, collateral=99), "terms: collateral below tip"),
        (group_of(count=2, collateral=MAX_MONEY), "terms: collateral too high"),
        (group_of(price=0), "terms: charge is zero"),
        (group_of(price=MAX_CHARGE, count=2), "terms: price too high"),
    ],
)
def test_order_key__terms_out_of_bounds__are_refused(market, exchange, group, text):
    assert refusal(exchange.order_key, UNKNOWN_ID, word_of(3), 0, group, by=market.stranger) == text


@pytest.mark.parametrize("wait", [MAX_BLOCKS + 1, 2**80, 2**256 - 1])
def test_order_key__wait_too_long__is_refused(market, exchange, wait):
    arguments = UNKNOWN_ID, word_of(3), wait, group_of()

    assert refusal(exchange.order_key, *arguments, by=market.stranger) == "terms: wait too long"

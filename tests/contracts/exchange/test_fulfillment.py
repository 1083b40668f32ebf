"""Fulfillments as the view tells them: they exist as long as their collateral is locked."""

from __future__ import annotations

import pytest

from tests.contracts.market import CHARGE, COLLATERAL, UNKNOWN_ID

NONE = (0, 0, 0)


def _view(market, order, provider) -> tuple:
    return tuple(market.view("fulfillment", order.id, provider.number))


@pytest.mark.parametrize("number", [0, 1, 99, 2**32, 2**256 - 1])
def test_fulfillment__no_bid__is_zeros(market, provider, number):
    [order] = market.submit()

    assert tuple(market.view("fulfillment", order.id, number)) == NONE
    assert tuple(market.view("fulfillment", UNKNOWN_ID, number)) == NONE


def test_fulfillment__open__tells_charge_and_collateral(market, provider, rival):
    [order] = market.submit()
    market.bid(provider, order)
    market.bid(rival, order, 5)

    assert _view(market, order, provider) == (provider.number, CHARGE, COLLATERAL)
    assert _view(market, order, rival) == (rival.number, 20, COLLATERAL)


def test_fulfillment__winner__stays_until_the_lease_ends(market, exchange, provider):
    [order] = market.matched(provider)
    bid = (provider.number, CHARGE, COLLATERAL)
    assert _view(market, order, provider) == bid
    market.close(order)
    assert _view(market, order, provider) == bid

    exchange.confirm_closed(provider.number, [order.key], {"from": provider.operator})

    assert _view(market, order, provider) == NONE


def test_fulfillment__loser__stays_until_it_is_released(market, exchange, provider, rival):
    [order] = market.submit()
    market.bid(provider, order, 5)
    market.bid(rival, order)
    market.match(order)
    assert _view(market, order, rival) == (rival.number, CHARGE, COLLATERAL)

    exchange.release_fulfillments(order.id, [rival.number], {"from": market.stranger})

    assert _view(market, order, rival) == NONE

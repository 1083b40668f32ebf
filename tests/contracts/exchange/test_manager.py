"""Managers as the view tells them."""

from __future__ import annotations

import pytest

from tests.contracts.market import FUND, MAX_MONEY, SCALE, UNKNOWN_ID, UPDATE


@pytest.fixture(scope="module")
def order(market):
    [order] = market.submit()
    return order


def _view(market, deployment, manager) -> tuple:
    return tuple(market.view("manager", deployment, manager))


def test_manager__nobody_set__is_zeros(market, order):
    assert _view(market, order.deployment, market.manager) == (0, 0, 0)
    assert _view(market, order.deployment, market.tenant) == (0, 0, 0)
    assert _view(market, UNKNOWN_ID, market.manager) == (0, 0, 0)


@pytest.mark.parametrize("word", [(UPDATE | FUND | SCALE, 2**40 - 1, MAX_MONEY), (UPDATE, 0, 0), (FUND, 1, 2)])
def test_manager__set__is_told(market, exchange, order, word):
    exchange.set_manager(order.deployment, market.manager, *word, {"from": market.tenant})

    assert _view(market, order.deployment, market.manager) == word


def test_manager__money_spent__lowers_what_it_may_spend(market, exchange, order):
    exchange.set_manager(order.deployment, market.manager, FUND, 10**6, 1_000, {"from": market.tenant})

    exchange.fund(order.key, 2, {"from": market.manager})

    assert _view(market, order.deployment, market.manager) == (FUND, 10**6, 1_000 - 80)

"""Deployments as the view tells them, in each of their states."""

from __future__ import annotations

from tests.contracts.market import (
    DEPLOYMENT_ACTIVE,
    DEPLOYMENT_CLOSED,
    DEPLOYMENT_CLOSING,
    MAX_BLOCKS,
    NEXT_VERSION,
    NO_ID,
    NOBODY,
    PLAIN,
    UNKNOWN_ID,
)


def _view(market, deployment) -> tuple:
    return tuple(market.view("deployment", deployment))


def test_deployment__unknown__is_zeros(market):
    assert _view(market, UNKNOWN_ID) == (NOBODY, 0, 0, 0, 0, 0)


def test_deployment__through_its_life__tells_state_and_counts(market, exchange):
    tenant = market.tenant
    first, second = market.submit(PLAIN, PLAIN, wait=MAX_BLOCKS)
    deployment = first.deployment

    assert _view(market, deployment) == (tenant.address, DEPLOYMENT_ACTIVE, 2, 2, 1, MAX_BLOCKS)
    exchange.update_deployment(deployment, NEXT_VERSION, [PLAIN], [10_000], [first.key], {"from": tenant})
    assert _view(market, deployment) == (tenant.address, DEPLOYMENT_ACTIVE, 2, 3, 2, MAX_BLOCKS)
    exchange.update_deployment(deployment, NO_ID, [], [], [second.key], {"from": tenant})
    assert _view(market, deployment) == (tenant.address, DEPLOYMENT_ACTIVE, 1, 3, 2, MAX_BLOCKS)
    exchange.close_deployment(deployment, [], {"from": tenant})
    assert _view(market, deployment) == (tenant.address, DEPLOYMENT_CLOSING, 1, 3, 2, MAX_BLOCKS)


def test_deployment__closed__keeps_tenant_and_state(market, exchange):
    [order] = market.submit()
    market.close(order)

    exchange.deployment_closed([order.deployment], {"from": market.stranger})

    assert _view(market, order.deployment) == (market.tenant.address, DEPLOYMENT_CLOSED, 0, 0, 0, 0)

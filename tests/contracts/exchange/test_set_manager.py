"""Managers of self-managed deployments: who sets them and within which bounds. What they may do is tested with it."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    FUND,
    MAX_MONEY,
    NEXT_VERSION,
    SCALE,
    UNKNOWN_ID,
    UPDATE,
    logged,
    refusal,
)

NOT_TENANT = "deployments: not the tenant"
EVERYTHING = UPDATE | FUND | SCALE


@pytest.fixture(scope="module")
def deployment(market):
    [order] = market.submit()
    return order.deployment


def _set(market, deployment, permissions=EVERYTHING, expires_block=10**6, spend_cap=10**6):
    arguments = deployment, market.manager, permissions, expires_block, spend_cap
    return market.exchange.set_manager(*arguments, {"from": market.tenant})


@pytest.mark.parametrize("permissions", range(1, 8))
@pytest.mark.parametrize(("expires_block", "spend_cap"), [(0, 0), (2**40 - 1, MAX_MONEY)])
def test_set_manager__by_the_tenant__grants(market, deployment, permissions, expires_block, spend_cap):
    tx = _set(market, deployment, permissions, expires_block, spend_cap)

    fields = {
        "deployment": deployment,
        "manager": market.manager.address,
        "permissions": permissions,
        "expires_block": expires_block,
        "spend_cap": spend_cap,
    }
    assert logged(tx) == [("ManagerSet", fields)]
    assert market.view("manager", deployment, market.manager) == (permissions, expires_block, spend_cap)


def test_set_manager__a_second_time__replaces_the_first(market, exchange, deployment):
    _set(market, deployment, EVERYTHING, 10**6, 10**6)

    _set(market, deployment, FUND, 10**5, 1)

    assert market.view("manager", deployment, market.manager) == (FUND, 10**5, 1)
    arguments = deployment, NEXT_VERSION, [], [], []
    assert refusal(exchange.update_deployment, *arguments, by=market.manager) == "deployments: not permitted"


def test_set_manager__no_permissions__revokes(market, exchange, deployment):
    _set(market, deployment)

    tx = _set(market, deployment, 0)

    assert logged(tx)[0][1]["permissions"] == 0
    assert market.view("manager", deployment, market.manager) == (0, 0, 0)
    arguments = deployment, NEXT_VERSION, [], [], []
    assert refusal(exchange.update_deployment, *arguments, by=market.manager) == "deployments: not permitted"


def test_set_manager__closing_deployment__may_still_be_changed(market, exchange, deployment):
    _set(market, deployment)
    exchange.close_deployment(deployment, [], {"from": market.tenant})

    _set(market, deployment, 0)

    assert market.view("manager", deployment, market.manager) == (0, 0, 0)


def test_set_manager__one_deployment__leaves_others_alone(market, deployment):
    [other] = market.submit()

    _set(market, deployment)

    assert market.view("manager", other.deployment, market.manager) == (0, 0, 0)


@pytest.mark.parametrize("role", ["manager", "stranger", "attacker", "owner", "operator", "facilitator"])
def test_set_manager__by_another_than_the_tenant__is_refused(market, exchange, deployment, role):
    _set(market, deployment)
    arguments = deployment, market.attacker, EVERYTHING, 10**6, 10**6

    assert refusal(exchange.set_manager, *arguments, by=getattr(market, role)) == NOT_TENANT


def test_set_manager__unknown_deployment__is_refused(market, exchange):
    arguments = UNKNOWN_ID, market.manager, EVERYTHING, 10**6, 10**6

    assert refusal(exchange.set_manager, *arguments, by=market.tenant) == NOT_TENANT


def test_set_manager__closed_deployment__is_refused(market, exchange):
    [order] = market.submit()
    market.close(order)
    exchange.deployment_closed([order.deployment], {"from": market.stranger})
    arguments = order.deployment, market.manager, EVERYTHING, 10**6, 10**6

    assert refusal(exchange.set_manager, *arguments, by=market.tenant) == "deployments: closed"


@pytest.mark.parametrize("expires_block", [2**40, 2**256 - 1])
def test_set_manager__expiry_beyond_all_heights__is_refused(market, exchange, deployment, expires_block):
    arguments = deployment, market.manager, EVERYTHING, expires_block, 0

    assert refusal(exchange.set_manager, *arguments, by=market.tenant) == "deployments: bad limits"


@pytest.mark.parametrize("spend_cap", [MAX_MONEY + 1, 2**256 - 1])
def test_set_manager__cap_above_all_money__is_refused(market, exchange, deployment, spend_cap):
    arguments = deployment, market.manager, EVERYTHING, 0, spend_cap

    assert refusal(exchange.set_manager, *arguments, by=market.tenant) == "deployments: bad limits"


@pytest.mark.parametrize("permissions", [8, 2**256 - 1])
def test_set_manager__permission_that_does_not_exist__is_refused(market, exchange, deployment, permissions):
    arguments = deployment, market.manager, permissions, 0, 0

    assert refusal(exchange.set_manager, *arguments, by=market.tenant) == ""

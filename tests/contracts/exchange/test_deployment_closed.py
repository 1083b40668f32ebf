"""The last step of a deployment: anyone may record that no group lives, and is paid for it."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    DEPLOYMENT_CLOSED,
    GRACE,
    PLAIN,
    TIP,
    UNKNOWN_ID,
    logged,
    refusal,
)

NOTHING = "exchange: nothing is ready"


@pytest.fixture(scope="module")
def ended(market):
    """A deployment in state CLOSING of which no group lives."""
    [order] = market.submit()
    market.close(order)
    return order.deployment


def test_deployment_closed__no_group_lives__pays_the_caller(market, exchange, ended):
    tx = exchange.deployment_closed([ended], {"from": market.facilitator})

    fields = {"deployment": ended, "facilitator": market.facilitator.address}
    assert logged(tx) == [("DeploymentClosed", fields)]
    assert market.available(market.facilitator) == TIP
    assert market.deployment(ended) == {
        "tenant": market.tenant.address,
        "state": DEPLOYMENT_CLOSED,
        "live_groups": 0,
        "order_count": 0,
        "update_number": 0,
        "wait_duration": 0,
    }


@pytest.mark.parametrize("role", ["tenant", "stranger", "attacker"])
def test_deployment_closed__by_anyone__pays_the_tip_to_the_caller(market, exchange, ended, role):
    caller = getattr(market, role)
    before = market.available(caller)

    exchange.deployment_closed([ended], {"from": caller})

    assert market.available(caller) - before == TIP


def test_deployment_closed__last_lease_finished__closes(market, exchange, provider):
    [order] = market.active(provider)
    market.close(order)
    assert refusal(exchange.deployment_closed, [order.deployment], by=market.facilitator) == NOTHING
    market.mine_to(market.lease(order)["confirmed_block"] + GRACE + 1)
    exchange.finish_leases([order.key], {"from": market.facilitator})

    exchange.deployment_closed([order.deployment], {"from": market.facilitator})

    assert market.deployment(order.deployment)["state"] == DEPLOYMENT_CLOSED


def test_deployment_closed__a_group_lives__is_refused(market, exchange):
    first, _ = market.submit(PLAIN, PLAIN)
    market.close(first)

    assert refusal(exchange.deployment_closed, [first.deployment], by=market.facilitator) == NOTHING


def test_deployment_closed__still_active_without_groups__is_refused(market, exchange, provider):
    [order] = market.matched(provider)
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    exchange.submit_stale_lease([order.key], {"from": market.facilitator})
    assert market.deployment(order.deployment)["live_groups"] == 0

    assert refusal(exchange.deployment_closed, [order.deployment], by=market.facilitator) == NOTHING


def test_deployment_closed__second_time__is_refused(market, exchange, ended):
    exchange.deployment_closed([ended], {"from": market.facilitator})

    assert refusal(exchange.deployment_closed, [ended], by=market.facilitator) == NOTHING


def test_deployment_closed__mixed_batch__closes_what_is_ready(market, exchange, ended):
    [active] = market.submit()
    [other] = market.submit()
    market.close(other)
    batch = [UNKNOWN_ID, ended, active.deployment, ended, other.deployment]

    tx = exchange.deployment_closed(batch, {"from": market.facilitator})

    assert [fields["deployment"] for _, fields in logged(tx)] == [ended, other.deployment]
    assert market.available(market.facilitator) == 2 * TIP


def test_deployment_closed__nothing_ready__is_refused(market, exchange):
    [active] = market.submit()

    assert refusal(exchange.deployment_closed, [UNKNOWN_ID, active.deployment], by=market.facilitator) == NOTHING


def test_deployment_closed__empty_batch__is_refused(market, exchange):
    assert refusal(exchange.deployment_closed, [], by=market.facilitator) == NOTHING


def test_deployment_closed__batch_of_32__is_accepted(market, exchange, ended):
    exchange.deployment_closed([ended] * 32, {"from": market.facilitator})

    assert market.available(market.facilitator) == TIP


def test_deployment_closed__batch_above_32__is_refused(market, exchange, ended):
    assert refusal(exchange.deployment_closed, [ended] * 33, by=market.facilitator) == ""

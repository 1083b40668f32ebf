"""The tenant gives a deployment up: what ends at once, what goes to CLOSING, and what that costs."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    CLOSED,
    CLOSING,
    COLLATERAL,
    DEPLOYMENT_CLOSED,
    DEPLOYMENT_CLOSING,
    DEPOSIT,
    NO_ID,
    ORDER_CLOSED,
    PERIOD,
    PLAIN,
    PREPAID_BLOCKS,
    REMAINDER,
    SCALE,
    STALE,
    TIP,
    UNKNOWN_ID,
    UPDATE,
    WAIT,
    Order,
    logged,
    refusal,
)

NOT_TENANT = "deployments: not the tenant"


@pytest.fixture(scope="module")
def lease(market, provider):
    """A lease that was just confirmed for the first time."""
    [order] = market.active(provider)
    return order


@pytest.fixture(scope="module")
def open_order(market):
    [order] = market.submit()
    return order


def _heights_after_closing(market, order) -> tuple[int, int, int]:
    """Return blocks earned, blocks left, and the block of the closing."""
    lease = market.lease(order)
    assert lease["state"] == CLOSING
    assert not lease["is_awaiting"]
    return (
        lease["confirmed_block"] - lease["claimed_block"],
        lease["funded_block"] - lease["confirmed_block"],
        lease["confirmed_block"],
    )


# ------------------------------------------------------------------------------------------------- states of a group


def test_close_deployment__open_order__ends_and_is_refunded(market, provider, open_order):
    market.bid(provider, open_order)
    before = market.available(market.tenant)

    tx = market.close(open_order)

    assert logged(tx) == [
        ("DeploymentClosing", {"deployment": open_order.deployment}),
        ("OrderClosed", {"order": open_order.id, "refund": DEPOSIT + TIP}),
    ]
    assert market.available(market.tenant) - before == DEPOSIT + TIP
    deployment = market.deployment(open_order.deployment)
    assert (deployment["state"], deployment["live_groups"]) == (DEPLOYMENT_CLOSING, 0)
    assert market.order(open_order)["state"] == ORDER_CLOSED
    assert market.committed(provider.account) == COLLATERAL  # until it is released


def test_close_deployment__lease_that_awaits_its_first_confirmation__costs_nothing(market, provider):
    [order] = market.matched(provider)
    market.mine_to(market.lease(order)["deadline_block"])

    tx = market.close(order)

    assert logged(tx)[1:] == [("LeaseClosing", {"lease": order.id})]
    assert _heights_after_closing(market, order)[:2] == (0, PREPAID_BLOCKS)
    deployment = market.deployment(order.deployment)
    assert (deployment["state"], deployment["live_groups"]) == (DEPLOYMENT_CLOSING, 1)


@pytest.mark.parametrize("delay", [1, PERIOD])
def test_close_deployment__active_lease__counts_as_a_confirmation(market, lease, delay):
    block = market.lease(lease)["confirmed_block"] + delay
    market.mine_to(block)

    market.close(lease)

    assert _heights_after_closing(market, lease) == (delay, PREPAID_BLOCKS - delay, block)
    assert market.lease(lease)["earned"] == delay * CHARGE


def test_close_deployment__closing_lease__costs_no_more(market, exchange, provider, lease):
    market.close(lease)
    earned = market.lease(lease)["earned"]
    market.mine_to(market.next_block + PERIOD)

    tx = exchange.confirm_closed(provider.number, [lease.key], {"from": provider.operator})

    assert logged(tx)[0][1]["earned"] == earned


def test_close_deployment__deadline_missed_a_block_ago__ends_as_stale(market, provider, lease):
    market.mine_to(market.lease(lease)["deadline_block"] + 1)
    before = market.available(market.tenant)

    tx = market.close(lease)

    left = PREPAID_BLOCKS * CHARGE + REMAINDER
    fields = {
        "lease": lease.id,
        "provider": provider.number,
        "facilitator": market.tenant.address,
        "earned": 0,
        "slashed": COLLATERAL - TIP,
        "refund": left + COLLATERAL,
    }
    assert logged(tx)[1:] == [("LeaseStale", fields)]
    assert market.available(market.tenant) - before == left + COLLATERAL + TIP
    assert market.lease(lease)["state"] == STALE
    assert market.deployment(lease.deployment)["live_groups"] == 0


def test_close_deployment__stale_lease_that_persists__makes_no_new_order(market, provider):
    [order] = market.matched(provider, PLAIN._replace(persist=True))
    market.mine_to(market.lease(order)["deadline_block"] + 1)

    tx = market.close(order)

    assert [name for name, _ in logged(tx)] == ["DeploymentClosing", "LeaseStale"]


@pytest.mark.parametrize("delay", [0, 1, PERIOD, 2 * PERIOD])
def test_close_deployment__exhausted_lease__pays_all_that_was_prepaid(market, provider, lease, delay):
    for _ in range(2):
        market.mine_to(market.lease(lease)["deadline_block"])
        market.confirm(provider, lease)
    block = market.lease(lease)["funded_block"] + delay
    market.mine_to(block)

    market.close(lease)

    assert _heights_after_closing(market, lease) == (PREPAID_BLOCKS, 0, block)


def test_close_deployment__ended_leases__are_skipped(market, exchange, provider, lease):
    market.mine_to(market.lease(lease)["deadline_block"] + 1)
    exchange.submit_stale_lease([lease.key], {"from": market.stranger})

    tx = market.close(lease)

    assert [name for name, _ in logged(tx)] == ["DeploymentClosing"]


def test_close_deployment__everything_at_once__ends_each_in_its_way(market, exchange, provider, rival):
    groups = [PLAIN._replace(name=bytes([number]) * 32) for number in range(6)]
    orders = market.submit(*groups)
    active, never_confirmed, stale, ended, closing, unbid = orders
    for each in orders[:-1]:
        market.bid(provider, each)
    market.match(*orders[:-1])
    market.confirm(provider, active, ended, closing, stale)
    exchange.update_deployment(active.deployment, NO_ID, [], [], [ended.key, closing.key], {"from": market.tenant})
    exchange.confirm_closed(provider.number, [ended.key], {"from": provider.operator})
    market.mine_to(market.lease(stale)["deadline_block"])
    market.confirm(provider, active)

    tx = market.close(*orders)

    assert [(name, fields.get("lease", fields.get("order"))) for name, fields in logged(tx)] == [
        ("DeploymentClosing", None),
        ("LeaseClosing", active.id),
        ("LeaseStale", never_confirmed.id),
        ("LeaseStale", stale.id),
        ("OrderClosed", unbid.id),
    ]
    states = [market.lease(each)["state"] for each in orders]
    assert states == [CLOSING, STALE, STALE, CLOSED, CLOSING, ORDER_CLOSED]
    assert market.deployment(active.deployment)["live_groups"] == 2


# --------------------------------------------------------------------------------------------------- repeated calls


def test_close_deployment__without_orders__only_changes_the_state(market, exchange, open_order):
    tx = exchange.close_deployment(open_order.deployment, [], {"from": market.tenant})

    assert logged(tx) == [("DeploymentClosing", {"deployment": open_order.deployment})]
    deployment = market.deployment(open_order.deployment)
    assert (deployment["state"], deployment["live_groups"]) == (DEPLOYMENT_CLOSING, 1)


def test_close_deployment__repeated__ends_what_was_left_out(market, exchange):
    first, second = market.submit(PLAIN, PLAIN)
    market.close(first)

    tx = exchange.close_deployment(first.deployment, [first.key, second.key], {"from": market.tenant})

    assert [name for name, _ in logged(tx)] == ["OrderClosed"]
    assert market.deployment(first.deployment)["live_groups"] == 0


def test_close_deployment__same_order_twice__refunds_once(market, exchange, open_order):
    before = market.available(market.tenant)

    exchange.close_deployment(open_order.deployment, [open_order.key] * 2, {"from": market.tenant})

    assert market.available(market.tenant) - before == DEPOSIT + TIP
    assert market.deployment(open_order.deployment)["live_groups"] == 0


def test_close_deployment__same_lease_twice__closes_once(market, exchange, lease):
    tx = exchange.close_deployment(lease.deployment, [lease.key] * 8, {"from": market.tenant})

    assert [name for name, _ in logged(tx)] == ["DeploymentClosing", "LeaseClosing"]
    assert market.deployment(lease.deployment)["live_groups"] == 1


def test_close_deployment__closed__is_refused(market, exchange, open_order):
    market.close(open_order)
    exchange.deployment_closed([open_order.deployment], {"from": market.stranger})

    assert market.deployment(open_order.deployment)["state"] == DEPLOYMENT_CLOSED
    assert refusal(exchange.close_deployment, open_order.deployment, [], by=market.tenant) == "deployments: closed"


# --------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("role", ["stranger", "attacker", "facilitator", "operator", "owner", "manager"])
def test_close_deployment__by_another_than_the_tenant__is_refused(market, exchange, lease, role):
    everything = UPDATE | SCALE
    exchange.set_manager(lease.deployment, market.manager, everything, 10**6, 10**6, {"from": market.tenant})

    assert refusal(exchange.close_deployment, lease.deployment, [lease.key], by=getattr(market, role)) == NOT_TENANT


def test_close_deployment__unknown_deployment__is_refused(market, exchange):
    assert refusal(exchange.close_deployment, UNKNOWN_ID, [], by=market.tenant) == NOT_TENANT


def test_close_deployment__order_of_another_deployment__is_refused(market, exchange, lease, open_order):
    arguments = open_order.deployment, [open_order.key, lease.key]

    assert refusal(exchange.close_deployment, *arguments, by=market.tenant) == "deployments: order of another"


def test_close_deployment__order_that_does_not_exist__is_skipped(market, exchange, open_order):
    never = Order(open_order.deployment, UNKNOWN_ID, WAIT, PLAIN)

    tx = exchange.close_deployment(open_order.deployment, [never.key], {"from": market.tenant})

    assert [name for name, _ in logged(tx)] == ["DeploymentClosing"]
    assert market.deployment(open_order.deployment)["live_groups"] == 1


def test_close_deployment__more_than_8_orders__is_refused(market, exchange, open_order):
    assert refusal(exchange.close_deployment, open_order.deployment, [open_order.key] * 9, by=market.tenant) == ""

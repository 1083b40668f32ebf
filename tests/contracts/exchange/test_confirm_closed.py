"""The end that the provider confirms: pay and collateral to it, the rest to the tenant."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    CLOSED,
    COLLATERAL,
    GRACE,
    NO_ID,
    PLAIN,
    PREPAID_BLOCKS,
    REMAINDER,
    TIP,
    UNKNOWN_ID,
    WAIT,
    Order,
    logged,
    refusal,
)

NOTHING = "exchange: nothing is ready"
NOT_OPERATOR = "order_book: not the operator"


@pytest.fixture(scope="module")
def closing(market, provider):
    """A lease that was closed 60 blocks after its first confirmation."""
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["confirmed_block"] + 60)
    market.close(order)
    return order


def _confirm_closed(market, provider, *orders):
    keys = [each.key for each in orders]
    return market.exchange.confirm_closed(provider.number, keys, {"from": provider.operator})


@pytest.mark.parametrize("delay", [1, GRACE, GRACE + 1, 4 * GRACE])
def test_confirm_closed__at_any_time__pays_and_frees_the_collateral(market, provider, closing, delay):
    market.mine_to(market.lease(closing)["confirmed_block"] + delay)
    tenant_before = market.available(market.tenant)
    provider_before = market.available(provider.account)
    left = (PREPAID_BLOCKS - 60) * CHARGE + REMAINDER

    tx = _confirm_closed(market, provider, closing)

    assert logged(tx) == [
        (
            "LeaseClosed",
            {
                "lease": closing.id,
                "provider": provider.number,
                "finisher": provider.operator.address,
                "earned": 60 * CHARGE,
                "refund": left + TIP,
            },
        )
    ]
    assert market.available(provider.account) - provider_before == 60 * CHARGE + COLLATERAL
    assert market.available(market.tenant) - tenant_before == left + TIP
    assert market.committed(provider.account) == 0
    after = market.lease(closing)
    assert (after.pop("state"), after.pop("provider"), any(after.values())) == (CLOSED, provider.number, False)
    assert market.deployment(closing.deployment)["live_groups"] == 0


def test_confirm_closed__earnings_claimed_before__pays_only_the_collateral(market, exchange, provider, closing):
    exchange.claim([closing.id], {"from": market.stranger})
    before = market.available(provider.account)

    [(_, fields)] = logged(_confirm_closed(market, provider, closing))

    assert fields["earned"] == 0
    assert market.available(provider.account) - before == COLLATERAL


def test_confirm_closed__never_confirmed__returns_everything(market, provider):
    [order] = market.matched(provider)
    market.mine_to(market.next_block + 30)
    market.close(order)

    [(_, fields)] = logged(_confirm_closed(market, provider, order))

    assert (fields["earned"], fields["refund"]) == (0, PREPAID_BLOCKS * CHARGE + REMAINDER + TIP)


def test_confirm_closed__group_removed_from_an_active_deployment__ends_it(market, exchange, provider):
    kept, removed = market.active(provider, PLAIN, PLAIN)
    exchange.update_deployment(kept.deployment, NO_ID, [], [], [removed.key], {"from": market.tenant})

    _confirm_closed(market, provider, removed)

    assert market.deployment(kept.deployment)["live_groups"] == 1


@pytest.mark.parametrize("role", ["owner", "tenant", "stranger", "attacker", "rival_operator"])
def test_confirm_closed__by_another_than_the_operator__is_refused(market, exchange, provider, closing, role):
    arguments = provider.number, [closing.key]

    assert refusal(exchange.confirm_closed, *arguments, by=getattr(market, role)) == NOT_OPERATOR


@pytest.mark.parametrize("number", [0, 99, 2**256 - 1])
def test_confirm_closed__unknown_provider__is_refused(market, exchange, closing, number):
    assert refusal(exchange.confirm_closed, number, [closing.key], by=market.operator) == NOT_OPERATOR


def test_confirm_closed__lease_of_another_provider__is_refused(exchange, rival, closing):
    assert refusal(exchange.confirm_closed, rival.number, [closing.key], by=rival.operator) == NOTHING


def test_confirm_closed__active_lease__is_refused(market, exchange, provider):
    [order] = market.active(provider)

    assert refusal(exchange.confirm_closed, provider.number, [order.key], by=provider.operator) == NOTHING


def test_confirm_closed__exhausted_lease__is_refused(market, exchange, provider):
    [order] = market.exhausted(provider)

    assert refusal(exchange.confirm_closed, provider.number, [order.key], by=provider.operator) == NOTHING


def test_confirm_closed__second_time__is_refused(market, exchange, provider, closing):
    _confirm_closed(market, provider, closing)

    assert refusal(exchange.confirm_closed, provider.number, [closing.key], by=provider.operator) == NOTHING


def test_confirm_closed__provider_deregistered__still_works(market, provider, closing):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    _confirm_closed(market, provider, closing)

    assert market.lease(closing)["state"] == CLOSED


def test_confirm_closed__mixed_batch__ends_what_is_closing(market, provider, rival, closing):
    [of_rival] = market.active(rival)
    market.close(of_rival)
    [active] = market.active(provider)
    [open_order] = market.submit()
    unknown = Order(UNKNOWN_ID, open_order.nonce, WAIT, open_order.group)
    [other] = market.active(provider)
    market.close(other)

    tx = _confirm_closed(market, provider, unknown, of_rival, closing, active, closing, open_order, other)

    assert [fields["lease"] for _, fields in logged(tx)] == [closing.id, other.id]


def test_confirm_closed__empty_batch__is_refused(exchange, provider):
    assert refusal(exchange.confirm_closed, provider.number, [], by=provider.operator) == NOTHING


def test_confirm_closed__batch_above_32__is_refused(exchange, provider, closing):
    assert refusal(exchange.confirm_closed, provider.number, [closing.key] * 33, by=provider.operator) == ""

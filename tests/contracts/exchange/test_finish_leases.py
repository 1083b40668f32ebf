"""The end that anyone may bring about after the grace: of closing leases, and of exhausted ones."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    CLOSED,
    COLLATERAL,
    GRACE,
    PERIOD,
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


@pytest.fixture(scope="module")
def closing(market, provider):
    """A lease that was closed 60 blocks after its first confirmation."""
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["confirmed_block"] + 60)
    market.close(order)
    return order


@pytest.fixture
def exhausted(market, provider):
    """A lease of which all prepaid blocks were confirmed."""
    [order] = market.exhausted(provider)
    return order


def _finish(market, *orders):
    return market.exchange.finish_leases([each.key for each in orders], {"from": market.facilitator})


# ---------------------------------------------------------------------------------------------------- closing leases


def test_finish_leases__closing_after_the_grace__pays_provider_tenant_and_caller(market, provider, closing):
    market.mine_to(market.lease(closing)["confirmed_block"] + GRACE + 1)
    tenant_before = market.available(market.tenant)
    provider_before = market.available(provider.account)
    tips_before = market.available(market.facilitator)
    left = (PREPAID_BLOCKS - 60) * CHARGE + REMAINDER

    tx = _finish(market, closing)

    assert logged(tx) == [
        (
            "LeaseClosed",
            {
                "lease": closing.id,
                "provider": provider.number,
                "finisher": market.facilitator.address,
                "earned": 60 * CHARGE,
                "refund": left,
            },
        )
    ]
    assert market.available(provider.account) - provider_before == 60 * CHARGE + COLLATERAL
    assert market.available(market.tenant) - tenant_before == left
    assert market.available(market.facilitator) - tips_before == TIP
    after = market.lease(closing)
    assert (after.pop("state"), after.pop("provider"), any(after.values())) == (CLOSED, provider.number, False)
    assert market.deployment(closing.deployment)["live_groups"] == 0


@pytest.mark.parametrize("delay", [1, GRACE - 1, GRACE])
def test_finish_leases__closing_within_the_grace__is_refused(market, exchange, closing, delay):
    market.mine_to(market.lease(closing)["confirmed_block"] + delay)

    assert refusal(exchange.finish_leases, [closing.key], by=market.facilitator) == NOTHING


def test_finish_leases__closed_long_after_exhaustion__waits_for_the_grace_of_the_closing(market, exchange, exhausted):
    market.mine_to(market.next_block + 2 * GRACE)
    market.close(exhausted)

    assert refusal(exchange.finish_leases, [exhausted.key], by=market.facilitator) == NOTHING


# -------------------------------------------------------------------------------------------------- exhausted leases


def test_finish_leases__exhausted_after_the_grace__pays_all_and_frees_the_collateral(market, provider, exhausted):
    market.mine_to(market.lease(exhausted)["funded_block"] + GRACE + 1)
    tenant_before = market.available(market.tenant)
    provider_before = market.available(provider.account)

    [(_, fields)] = logged(_finish(market, exhausted))

    assert (fields["earned"], fields["refund"]) == (PREPAID_BLOCKS * CHARGE, REMAINDER)
    assert market.available(provider.account) - provider_before == PREPAID_BLOCKS * CHARGE + COLLATERAL
    assert market.available(market.tenant) - tenant_before == REMAINDER
    assert market.lease(exhausted)["state"] == CLOSED


@pytest.mark.parametrize("delay", [1, GRACE - 1, GRACE])
def test_finish_leases__exhausted_within_the_grace__is_refused(market, exchange, exhausted, delay):
    market.mine_to(market.lease(exhausted)["funded_block"] + delay)

    assert refusal(exchange.finish_leases, [exhausted.key], by=market.facilitator) == NOTHING


def test_finish_leases__last_blocks_never_confirmed__go_back_to_the_tenant(market, provider):
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["deadline_block"])
    market.confirm(provider, order)
    market.mine_to(market.lease(order)["deadline_block"])
    market.confirm(provider, order)
    market.mine_to(market.lease(order)["deadline_block"] + PERIOD)

    [(_, fields)] = logged(_finish(market, order))

    left = (PREPAID_BLOCKS - 2 * PERIOD) * CHARGE + REMAINDER
    assert (fields["earned"], fields["refund"]) == (2 * PERIOD * CHARGE, left)


def test_finish_leases__the_last_stretch_can_still_be_confirmed__is_refused(market, exchange, provider):
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["deadline_block"])
    market.confirm(provider, order)
    market.mine_to(market.lease(order)["deadline_block"])
    market.confirm(provider, order)
    market.mine_to(market.lease(order)["funded_block"] - 10)
    market.confirm(provider, order)  # the deadline is now far behind the grace
    deadline = market.lease(order)["deadline_block"]
    market.mine_to(deadline)

    assert deadline > market.lease(order)["funded_block"] + GRACE
    assert refusal(exchange.finish_leases, [order.key], by=market.facilitator) == NOTHING

    market.confirm(provider, order)

    [(_, fields)] = logged(_finish(market, order))
    assert (fields["earned"], fields["refund"]) == (PREPAID_BLOCKS * CHARGE, REMAINDER)


def test_finish_leases__funded_again__is_refused(market, exchange, exhausted):
    market.mine_to(market.lease(exhausted)["funded_block"] + GRACE + 1)
    exchange.fund(exhausted.key, 2 * PERIOD, {"from": market.tenant})

    assert refusal(exchange.finish_leases, [exhausted.key], by=market.facilitator) == NOTHING


# -------------------------------------------------------------------------------------------------- all other states


def test_finish_leases__stale_lease__is_refused(market, exchange, provider):
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["funded_block"] + GRACE + PERIOD)

    assert refusal(exchange.finish_leases, [order.key], by=market.facilitator) == NOTHING


def test_finish_leases__never_confirmed__is_refused(market, exchange, provider):
    [order] = market.matched(provider)
    market.mine_to(market.lease(order)["funded_block"] + GRACE + PERIOD)

    assert refusal(exchange.finish_leases, [order.key], by=market.facilitator) == NOTHING


def test_finish_leases__second_time__is_refused(market, exchange, closing):
    market.mine_to(market.lease(closing)["confirmed_block"] + GRACE + 1)
    _finish(market, closing)

    assert refusal(exchange.finish_leases, [closing.key], by=market.facilitator) == NOTHING


def test_finish_leases__confirmed_by_the_provider_before__is_refused(market, exchange, provider, closing):
    market.mine_to(market.lease(closing)["confirmed_block"] + GRACE + 1)
    exchange.confirm_closed(provider.number, [closing.key], {"from": provider.operator})

    assert refusal(exchange.finish_leases, [closing.key], by=market.facilitator) == NOTHING


# ----------------------------------------------------------------------------------------------- callers and batches


@pytest.mark.parametrize("role", ["operator", "owner", "stranger", "attacker"])
def test_finish_leases__by_anyone__pays_the_tip_to_the_caller(market, exchange, closing, role):
    market.mine_to(market.lease(closing)["confirmed_block"] + GRACE + 1)
    before = market.available(getattr(market, role))

    exchange.finish_leases([closing.key], {"from": getattr(market, role)})

    assert market.available(getattr(market, role)) - before == TIP


def test_finish_leases__mixed_batch__ends_what_is_due(market, provider, closing, exhausted):
    market.mine_to(market.lease(exhausted)["funded_block"] + GRACE + 1)
    [active] = market.active(provider)
    [open_order] = market.submit()
    unknown = Order(UNKNOWN_ID, open_order.nonce, WAIT, open_order.group)
    before = market.available(market.facilitator)

    tx = _finish(market, unknown, closing, active, closing, open_order, exhausted)

    assert [fields["lease"] for _, fields in logged(tx)] == [closing.id, exhausted.id]
    assert market.available(market.facilitator) - before == 2 * TIP


def test_finish_leases__empty_batch__is_refused(market, exchange):
    assert refusal(exchange.finish_leases, [], by=market.facilitator) == NOTHING


def test_finish_leases__batch_above_32__is_refused(market, exchange, closing):
    market.mine_to(market.lease(closing)["confirmed_block"] + GRACE + 1)

    assert refusal(exchange.finish_leases, [closing.key] * 33, by=market.facilitator) == ""

"""Confirmations: who may give them, until when, and what they change."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    NOBODY,
    PERIOD,
    PREPAID_BLOCKS,
    REMAINDER,
    UNKNOWN_ID,
    logged,
    refusal,
)

NOTHING = "exchange: nothing is ready"
NOT_OPERATOR = "order_book: not the operator"


@pytest.fixture(scope="module")
def matched(market, provider):
    """A lease that awaits its first confirmation."""
    [order] = market.matched(provider)
    return order


@pytest.fixture(scope="module")
def active(market, provider):
    """A lease that was just confirmed for the first time."""
    [order] = market.active(provider)
    return order


def _confirmation_refused(market, provider, *leases) -> str:
    confirm = market.exchange.submit_lease_confirmation
    return refusal(confirm, provider.number, list(leases), by=provider.operator)


# --------------------------------------------------------------------------------------------- the first of a lease


@pytest.mark.parametrize("delay", [1, PERIOD // 2, PERIOD - 1, PERIOD])
def test_submit_lease_confirmation__first_in_time__starts_the_charging(market, provider, matched, delay):
    block = market.lease(matched)["confirmed_block"] + delay
    market.mine_to(block)

    tx = market.confirm(provider, matched)

    assert logged(tx) == [("LeaseConfirmed", {"lease": matched.id})]
    assert market.lease(matched) == {
        "state": ACTIVE,
        "provider": provider.number,
        "charge": CHARGE,
        "remainder": REMAINDER,
        "is_awaiting": False,
        "claimed_block": block,
        "confirmed_block": block,
        "funded_block": block + PREPAID_BLOCKS,
        "deadline_block": block + PERIOD,
        "earned": 0,
        "runway_blocks": PREPAID_BLOCKS - 1,
        "is_stale": False,
        "is_exhausted": False,
    }


def test_submit_lease_confirmation__first_after_the_deadline__is_refused(market, provider, matched):
    market.mine_to(market.lease(matched)["deadline_block"] + 1)

    assert _confirmation_refused(market, provider, matched.id) == NOTHING


# ------------------------------------------------------------------------------------------------------- later ones


@pytest.mark.parametrize("delay", [1, PERIOD - 1, PERIOD])
def test_submit_lease_confirmation__in_time__earns_the_blocks_since_the_last(market, provider, active, delay):
    before = market.lease(active)
    block = before["confirmed_block"] + delay
    market.mine_to(block)

    tx = market.confirm(provider, active)

    after = market.lease(active)
    assert logged(tx) == [("LeaseConfirmed", {"lease": active.id})]
    assert (after["confirmed_block"], after["earned"]) == (block, delay * CHARGE)
    assert (after["claimed_block"], after["funded_block"]) == (before["claimed_block"], before["funded_block"])
    assert after["deadline_block"] == block + PERIOD


def test_submit_lease_confirmation__after_the_deadline__is_refused(market, provider, active):
    market.mine_to(market.lease(active)["deadline_block"] + 1)

    assert _confirmation_refused(market, provider, active.id) == NOTHING


@pytest.mark.parametrize("offset", [-1, 0, 1, PERIOD - 47])
def test_submit_lease_confirmation__around_the_end_of_funding__confirms_no_further(market, provider, active, offset):
    for _ in range(2):
        market.mine_to(market.lease(active)["deadline_block"])
        market.confirm(provider, active)
    end = market.lease(active)["funded_block"]
    market.mine_to(end + offset)

    market.confirm(provider, active)

    lease = market.lease(active)
    assert lease["confirmed_block"] == min(end + offset, end)
    assert lease["earned"] == CHARGE * (lease["confirmed_block"] - lease["claimed_block"])


def test_submit_lease_confirmation__of_all_that_was_funded__stays_possible_for_a_period(market, provider, active):
    market.mine_to(market.lease(active)["deadline_block"])
    market.confirm(provider, active)
    market.mine_to(market.lease(active)["deadline_block"])
    market.confirm(provider, active)
    end = market.lease(active)["funded_block"]
    market.mine_to(end)
    market.confirm(provider, active)
    market.mine_to(end + PERIOD)

    market.confirm(provider, active)

    assert market.lease(active)["confirmed_block"] == end
    assert _confirmation_refused(market, provider, active.id) == NOTHING


# ---------------------------------------------------------------------------------------------------------- callers


@pytest.mark.parametrize("role", ["owner", "tenant", "facilitator", "stranger", "rival_operator"])
def test_submit_lease_confirmation__by_another_than_the_operator__is_refused(market, exchange, provider, active, role):
    arguments = provider.number, [active.id]

    assert refusal(exchange.submit_lease_confirmation, *arguments, by=getattr(market, role)) == NOT_OPERATOR


@pytest.mark.parametrize("number", [0, 99, 2**32, 2**256 - 1])
def test_submit_lease_confirmation__unknown_provider__is_refused(market, exchange, active, number):
    assert refusal(exchange.submit_lease_confirmation, number, [active.id], by=market.operator) == NOT_OPERATOR


def test_submit_lease_confirmation__lease_of_another_provider__is_refused(market, rival, active):
    assert _confirmation_refused(market, rival, active.id) == NOTHING


def test_submit_lease_confirmation__operator_replaced__only_the_new_one_may(market, exchange, provider, active):
    market.registry.set_operator(provider.number, market.stranger, {"from": provider.owner})

    exchange.submit_lease_confirmation(provider.number, [active.id], {"from": market.stranger})

    assert refusal(exchange.submit_lease_confirmation, provider.number, [active.id], by=provider.operator) == (
        NOT_OPERATOR
    )


def test_submit_lease_confirmation__provider_deregistered__still_works(market, provider, active):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    tx = market.confirm(provider, active)

    assert len(logged(tx)) == 1


# ---------------------------------------------------------------------------------------------------------- batches


def test_submit_lease_confirmation__mixed_batch__confirms_what_it_can(market, provider, rival, matched, active):
    [of_rival] = market.matched(rival)
    [closing] = market.active(provider)
    market.close(closing)
    [open_order] = market.submit()
    batch = [UNKNOWN_ID, of_rival.id, matched.id, closing.id, open_order.id, active.id]
    exchange = market.exchange

    tx = exchange.submit_lease_confirmation(provider.number, batch, {"from": provider.operator})

    assert [fields["lease"] for _, fields in logged(tx)] == [matched.id, active.id]


def test_submit_lease_confirmation__nothing_ready__is_refused(market, provider):
    [open_order] = market.submit()
    [closing] = market.active(provider)
    market.close(closing)

    assert _confirmation_refused(market, provider, UNKNOWN_ID, open_order.id, closing.id) == NOTHING


def test_submit_lease_confirmation__empty_batch__is_refused(market, provider):
    assert _confirmation_refused(market, provider) == NOTHING


def test_submit_lease_confirmation__batch_of_128__is_confirmed_to_its_last(market, exchange, provider, matched, active):
    batch = [active.id] * 127 + [matched.id]
    block = market.next_block

    tx = exchange.submit_lease_confirmation(provider.number, batch, {"from": provider.operator})

    assert [fields["lease"] for _, fields in logged(tx)] == batch
    assert [market.lease(each)["confirmed_block"] for each in (active, matched)] == [block, block]
    assert not market.lease(matched)["is_awaiting"]


def test_submit_lease_confirmation__batch_above_128__is_refused(market, provider, active):
    assert _confirmation_refused(market, provider, *[active.id] * 129) == ""


def test_submit_lease_confirmation__by_nobody_for_an_unknown_provider__is_refused(market, exchange, active):
    assert refusal(exchange.submit_lease_confirmation, 99, [active.id], by=NOBODY) == NOTHING

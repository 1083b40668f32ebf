"""Claims: what was confirmed goes to the provider's account, whoever asks."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    CLOSING,
    COLLATERAL,
    PERIOD,
    PERSISTENT,
    STALE,
    UNKNOWN_ID,
    logged,
    refusal,
)

NOTHING = "exchange: nothing is ready"


@pytest.fixture(scope="module")
def lease(market, provider):
    """A lease of which 60 blocks were confirmed and none claimed."""
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["confirmed_block"] + 60)
    market.confirm(provider, order)
    return order


@pytest.fixture
def stale(market, exchange, lease):
    """The same lease, ended as stale."""
    market.mine_to(market.lease(lease)["deadline_block"] + 1)
    exchange.submit_stale_lease([lease.key], {"from": market.facilitator})
    return lease


@pytest.mark.parametrize("role", ["operator", "owner", "stranger", "tenant", "attacker"])
def test_claim__by_anyone__pays_the_provider(market, exchange, provider, lease, role):
    before = market.available(provider.account)
    confirmed = market.lease(lease)["confirmed_block"]

    tx = exchange.claim([lease.id], {"from": getattr(market, role)})

    assert logged(tx) == [("LeaseClaimed", {"lease": lease.id, "amount": 60 * CHARGE})]
    assert market.available(provider.account) - before == 60 * CHARGE
    after = market.lease(lease)
    assert (after["state"], after["claimed_block"], after["confirmed_block"]) == (ACTIVE, confirmed, confirmed)
    assert after["earned"] == 0


def test_claim__one_block_confirmed__pays_one_block(market, exchange, provider):
    [order] = market.active(provider)
    market.confirm(provider, order)

    [(_, fields)] = logged(exchange.claim([order.id], {"from": market.stranger}))

    assert fields["amount"] == CHARGE


def test_claim__second_time__is_refused(market, exchange, lease):
    exchange.claim([lease.id], {"from": market.stranger})

    assert refusal(exchange.claim, [lease.id], by=market.stranger) == NOTHING


def test_claim__same_lease_twice_in_a_batch__pays_once(market, exchange, lease):
    tx = exchange.claim([lease.id, lease.id], {"from": market.stranger})

    assert len(logged(tx)) == 1


def test_claim__deadline_missed__pays_what_was_confirmed(market, exchange, lease):
    market.mine_to(market.lease(lease)["deadline_block"] + 1)

    [(_, fields)] = logged(exchange.claim([lease.id], {"from": market.stranger}))

    assert fields["amount"] == 60 * CHARGE


def test_claim__closing_lease__pays_up_to_the_closing(market, exchange, lease):
    market.mine_to(market.lease(lease)["confirmed_block"] + PERIOD)
    market.close(lease)

    [(_, fields)] = logged(exchange.claim([lease.id], {"from": market.stranger}))

    assert fields["amount"] == (60 + PERIOD) * CHARGE
    assert market.lease(lease)["state"] == CLOSING


def test_claim__all_blocks_confirmed__pays_all_that_was_prepaid(market, exchange, provider):
    [order] = market.exhausted(provider)

    [(_, fields)] = logged(exchange.claim([order.id], {"from": market.stranger}))

    assert fields["amount"] == 9_880


# ------------------------------------------------------------------------------------------------------ stale leases


@pytest.mark.parametrize("role", ["operator", "owner", "stranger", "tenant", "attacker"])
def test_claim__stale_lease_by_anyone__pays_the_provider_once(market, exchange, provider, stale, role):
    caller = getattr(market, role)
    available, committed = market.view("account", provider.account)
    had = market.available(caller)
    assert market.lease(stale)["earned"] == 60 * CHARGE

    tx = exchange.claim([stale.id], {"from": caller})

    assert logged(tx) == [("LeaseClaimed", {"lease": stale.id, "amount": 60 * CHARGE})]
    assert tuple(market.view("account", provider.account)) == (available + 60 * CHARGE, committed)
    assert market.available(caller) == had
    after = market.lease(stale)
    assert (after.pop("state"), after.pop("provider"), any(after.values())) == (STALE, provider.number, False)
    assert refusal(exchange.claim, [stale.id], by=caller) == NOTHING


def test_claim__stale_lease_twice_in_a_batch__pays_once(market, exchange, provider, stale):
    before = market.available(provider.account)

    exchange.claim([stale.id, stale.id], {"from": market.stranger})

    assert market.available(provider.account) - before == 60 * CHARGE


def test_claim__part_of_it_claimed_before_the_stale_call__pays_the_rest(market, exchange, provider, lease):
    before = market.available(provider.account)
    exchange.claim([lease.id], {"from": market.stranger})
    market.mine_to(market.lease(lease)["confirmed_block"] + 20)
    market.confirm(provider, lease)
    market.mine_to(market.lease(lease)["deadline_block"] + 1)
    exchange.submit_stale_lease([lease.key], {"from": market.facilitator})

    [(_, fields)] = logged(exchange.claim([lease.id], {"from": market.stranger}))

    assert fields["amount"] == 20 * CHARGE
    assert market.available(provider.account) - before == (60 + 20) * CHARGE


def test_claim__stale_lease_that_has_earned_nothing__is_refused(market, exchange, provider):
    [order] = market.matched(provider)
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    exchange.submit_stale_lease([order.key], {"from": market.facilitator})

    assert refusal(exchange.claim, [order.id], by=provider.operator) == NOTHING


def test_claim__resigned_lease__pays_what_was_confirmed(market, exchange, provider, lease):
    exchange.submit_stale_lease([lease.key], {"from": provider.owner})

    [(_, fields)] = logged(exchange.claim([lease.id], {"from": market.stranger}))

    assert fields["amount"] == 60 * CHARGE


def test_claim__lease_closed_when_stale__pays_what_was_confirmed(market, exchange, lease):
    market.mine_to(market.lease(lease)["deadline_block"] + 1)
    market.close(lease)

    [(_, fields)] = logged(exchange.claim([lease.id], {"from": market.stranger}))

    assert fields["amount"] == 60 * CHARGE


def test_claim__stale_lease_and_the_one_that_replaced_it__pays_each_provider_its_own(market, exchange, provider, rival):
    [order] = market.active(provider, PERSISTENT)
    market.confirm(provider, order)
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    exchange.submit_stale_lease([order.key], {"from": market.facilitator})
    market.bid(rival, order.renewed())
    market.match(order.renewed())
    market.confirm(rival, order.renewed())
    market.mine_to(market.next_block + 1)
    market.confirm(rival, order.renewed())

    tx = exchange.claim([order.renewed().id, order.id], {"from": market.stranger})

    assert [fields["amount"] for _, fields in logged(tx)] == [2 * CHARGE, CHARGE]


def test_claim__stale_lease_of_a_provider_that_left__pays_its_account(market, exchange, provider, stale):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})
    exchange.withdraw(provider.account, market.available(provider.account), {"from": provider.owner})

    exchange.claim([stale.id], {"from": market.stranger})

    assert tuple(market.view("account", provider.account)) == (60 * CHARGE, COLLATERAL)
    exchange.withdraw(provider.account, 60 * CHARGE, {"from": provider.owner})


# ----------------------------------------------------------------------------------------------------------- batches


def test_claim__mixed_batch__pays_what_is_earned(market, exchange, provider, lease):
    [matched] = market.matched(provider)
    [unconfirmed] = market.active(provider)
    [open_order] = market.submit()
    [ended] = market.active(provider)
    market.close(ended)
    exchange.confirm_closed(provider.number, [ended.key], {"from": provider.operator})
    others = [UNKNOWN_ID, matched.id, unconfirmed.id, open_order.id, ended.id]

    assert refusal(exchange.claim, others, by=market.stranger) == NOTHING
    tx = exchange.claim([*others, lease.id], {"from": market.stranger})

    assert [fields["lease"] for _, fields in logged(tx)] == [lease.id]


def test_claim__leases_of_two_providers__pays_each_its_own(market, exchange, provider, rival, lease):
    [other] = market.active(rival)
    market.confirm(rival, other)
    before = market.available(provider.account), market.available(rival.account)

    exchange.claim([lease.id, other.id], {"from": market.stranger})

    after = market.available(provider.account), market.available(rival.account)
    assert (after[0] - before[0], after[1] - before[1]) == (60 * CHARGE, CHARGE)


def test_claim__empty_batch__is_refused(market, exchange):
    assert refusal(exchange.claim, [], by=market.stranger) == NOTHING


def test_claim__batch_above_32__is_refused(market, exchange, lease):
    assert refusal(exchange.claim, [lease.id] * 33, by=market.stranger) == ""

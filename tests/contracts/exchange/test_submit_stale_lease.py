"""Stale leases: from which block on, who may call, where the collateral goes.

What follows for the tenant is in test_persist.py, for the provider in test_claim.py.
"""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    ACTIVE,
    CHARGE,
    COLLATERAL,
    PERIOD,
    PREPAID_BLOCKS,
    REMAINDER,
    STALE,
    TIP,
    UNKNOWN_ID,
    WAIT,
    Order,
    group_of,
    logged,
    refusal,
)

NOTHING = "exchange: nothing is ready"


@pytest.fixture(scope="module")
def matched(market, provider):
    """A lease that awaits its first confirmation."""
    [order] = market.matched(provider)
    return order


@pytest.fixture(scope="module")
def lease(market, provider):
    """A lease of which 60 blocks were confirmed."""
    [order] = market.active(provider)
    market.mine_to(market.lease(order)["confirmed_block"] + 60)
    market.confirm(provider, order)
    return order


def _miss_deadline(market, *orders) -> None:
    market.mine_to(max(market.lease(each)["deadline_block"] for each in orders) + 1)


def _call_stale(market, *orders):
    return market.exchange.submit_stale_lease([each.key for each in orders], {"from": market.facilitator})


# ------------------------------------------------------------------------------------------------- what it moves


def test_submit_stale_lease__deadline_missed__slashes_the_collateral(market, provider, lease):
    _miss_deadline(market, lease)
    tenant_before = market.available(market.tenant)
    provider_before = market.view("account", provider.account)
    unearned = (PREPAID_BLOCKS - 60) * CHARGE + REMAINDER

    tx = _call_stale(market, lease)

    assert logged(tx) == [
        (
            "LeaseStale",
            {
                "lease": lease.id,
                "provider": provider.number,
                "facilitator": market.facilitator.address,
                "earned": 60 * CHARGE,
                "slashed": COLLATERAL - TIP,
                "refund": unearned + COLLATERAL - TIP + TIP,
            },
        )
    ]
    assert market.view("account", provider.account) == provider_before
    assert market.available(market.tenant) - tenant_before == unearned + COLLATERAL
    assert market.available(market.facilitator) == 2 * TIP  # of the match and of this
    after = market.lease(lease)
    kept = after.pop("state"), after.pop("provider"), after.pop("earned")
    assert (kept, any(after.values())) == ((STALE, provider.number, 60 * CHARGE), False)
    assert market.deployment(lease.deployment)["live_groups"] == 0
    assert market.view("fulfillment", lease.id, provider.number) == (0, 0, 0)


def test_submit_stale_lease__earnings_claimed_before__are_not_paid_again(market, exchange, lease):
    exchange.claim([lease.id], {"from": market.stranger})
    _miss_deadline(market, lease)

    [(_, fields)] = logged(_call_stale(market, lease))

    assert fields["earned"] == 0
    assert market.lease(lease)["earned"] == 0


def test_submit_stale_lease__never_confirmed__returns_all_that_was_prepaid(market, provider, matched):
    provider_before = market.view("account", provider.account)
    _miss_deadline(market, matched)

    [(_, fields)] = logged(_call_stale(market, matched))

    assert fields["earned"] == 0
    assert fields["refund"] == PREPAID_BLOCKS * CHARGE + REMAINDER + COLLATERAL
    assert market.view("account", provider.account) == provider_before


def test_submit_stale_lease__collateral_of_one_tip__leaves_nothing_to_slash(market, provider):
    [order] = market.active(provider, group_of(collateral=25))
    _miss_deadline(market, order)

    [(_, fields)] = logged(_call_stale(market, order))

    assert fields["slashed"] == 0


def test_submit_stale_lease__losers_of_the_order__keep_their_collateral(market, exchange, provider, rival):
    [order] = market.submit()
    market.bid(provider, order, 9)
    market.bid(rival, order)
    market.match(order)
    _miss_deadline(market, order)
    _call_stale(market, order)

    exchange.release_fulfillments(order.id, [rival.number, provider.number], {"from": market.stranger})

    assert market.committed(rival.account) == 0


# ------------------------------------------------------------------------------------------------------- deadlines


def test_submit_stale_lease__at_the_first_deadline__is_refused(market, exchange, matched):
    market.mine_to(market.lease(matched)["confirmed_block"] + PERIOD)

    assert refusal(exchange.submit_stale_lease, [matched.key], by=market.facilitator) == NOTHING


def test_submit_stale_lease__a_block_before_the_deadline__is_refused(market, exchange, lease):
    market.mine_to(market.lease(lease)["deadline_block"] - 1)

    assert refusal(exchange.submit_stale_lease, [lease.key], by=market.facilitator) == NOTHING


def test_submit_stale_lease__at_the_deadline__is_refused(market, exchange, lease):
    market.mine_to(market.lease(lease)["deadline_block"])

    assert refusal(exchange.submit_stale_lease, [lease.key], by=market.facilitator) == NOTHING


@pytest.mark.parametrize(("blocks_left", "is_stale"), [(PERIOD - 1, False), (PERIOD, False), (PERIOD + 1, True)])
def test_submit_stale_lease__funded_until_around_the_deadline__only_beyond_it(
    market, exchange, provider, blocks_left, is_stale
):
    [order] = market.active(provider)
    end = market.lease(order)["funded_block"]
    market.mine_to(market.lease(order)["deadline_block"])
    market.confirm(provider, order)
    market.mine_to(end - blocks_left)
    market.confirm(provider, order)
    _miss_deadline(market, order)

    if is_stale:
        exchange.submit_stale_lease([order.key], {"from": market.facilitator})
    else:
        assert refusal(exchange.submit_stale_lease, [order.key], by=market.facilitator) == NOTHING

    assert (market.lease(order)["state"] == STALE) is is_stale


def test_submit_stale_lease__long_after_exhaustion__is_refused(market, exchange, provider):
    [order] = market.exhausted(provider)
    market.mine_to(market.next_block + 2 * PERIOD)

    assert refusal(exchange.submit_stale_lease, [order.key], by=market.facilitator) == NOTHING


# --------------------------------------------------------------------------------------------------------- callers


@pytest.mark.parametrize("role", ["stranger", "tenant", "operator", "attacker"])
def test_submit_stale_lease__by_anyone__pays_the_tip_to_the_caller(market, exchange, lease, role):
    caller = getattr(market, role)
    _miss_deadline(market, lease)
    before = market.available(caller)

    [(_, fields)] = logged(exchange.submit_stale_lease([lease.key], {"from": caller}))

    assert market.available(caller) - before == TIP + (fields["refund"] if role == "tenant" else 0)


def test_submit_stale_lease__by_the_owner_in_time__resigns(market, exchange, provider, lease):
    tx = exchange.submit_stale_lease([lease.key], {"from": provider.owner})

    [(name, fields)] = logged(tx)
    assert (name, fields["facilitator"], fields["earned"]) == ("LeaseStale", provider.owner.address, 60 * CHARGE)
    assert fields["slashed"] == COLLATERAL - TIP
    assert market.lease(lease)["state"] == STALE
    assert market.available(provider.owner) == TIP


def test_submit_stale_lease__by_the_owner_among_others__does_not_resign(market, exchange, provider, rival):
    [stale] = market.active(rival)
    market.mine_to(market.lease(stale)["confirmed_block"] + PERIOD // 2)
    [own] = market.active(provider)
    market.mine_to(market.lease(stale)["deadline_block"] + 1)

    exchange.submit_stale_lease([own.key, stale.key], {"from": provider.owner})

    assert market.lease(stale)["state"] == STALE
    assert market.lease(own)["state"] == ACTIVE


def test_submit_stale_lease__by_the_owner_before_the_first_confirmation__resigns(market, exchange, provider, matched):
    exchange.submit_stale_lease([matched.key], {"from": provider.owner})

    assert market.lease(matched)["state"] == STALE


def test_submit_stale_lease__by_the_owner_of_a_deregistered_provider__resigns(market, exchange, provider, lease):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    exchange.submit_stale_lease([lease.key], {"from": provider.owner})

    assert market.lease(lease)["state"] == STALE


@pytest.mark.parametrize("role", ["operator", "rival_owner", "tenant", "facilitator", "stranger", "attacker"])
def test_submit_stale_lease__in_time_by_another_than_the_owner__is_refused(market, exchange, lease, role):
    assert refusal(exchange.submit_stale_lease, [lease.key], by=getattr(market, role)) == NOTHING


def test_submit_stale_lease__by_the_former_owner__is_refused(market, exchange, provider, lease):
    market.registry.transfer_ownership(provider.number, market.stranger, {"from": provider.owner})
    market.registry.accept_ownership(provider.number, {"from": market.stranger})

    assert refusal(exchange.submit_stale_lease, [lease.key], by=provider.owner) == NOTHING
    exchange.submit_stale_lease([lease.key], {"from": market.stranger})

    assert market.lease(lease)["state"] == STALE


# --------------------------------------------------------------------------------------------------------- batches


def test_submit_stale_lease__mixed_batch__ends_what_is_stale(market, provider, rival, matched, lease):
    [closing] = market.active(provider)
    market.close(closing)
    _miss_deadline(market, matched, lease)
    [fresh] = market.matched(rival, wait=0)
    [open_order] = market.submit()
    unknown = Order(UNKNOWN_ID, open_order.nonce, WAIT, open_order.group)
    tips_before = market.available(market.facilitator)

    tx = _call_stale(market, unknown, matched, closing, fresh, open_order, matched, lease)

    assert [fields["lease"] for _, fields in logged(tx)] == [matched.id, lease.id]
    assert market.available(market.facilitator) - tips_before == 2 * TIP


def test_submit_stale_lease__second_time__is_refused(market, exchange, lease):
    _miss_deadline(market, lease)
    _call_stale(market, lease)

    assert refusal(exchange.submit_stale_lease, [lease.key], by=market.facilitator) == NOTHING


@pytest.mark.parametrize("role", ["owner", "facilitator"])
def test_submit_stale_lease__closing_lease__is_refused(market, exchange, lease, role):
    market.close(lease)
    market.mine_to(market.next_block + 2 * PERIOD)

    assert refusal(exchange.submit_stale_lease, [lease.key], by=getattr(market, role)) == NOTHING


def test_submit_stale_lease__persist_forged_into_the_key__is_refused(market, exchange, lease):
    deployment, nonce, terms, resources_hash = lease.key
    _miss_deadline(market, lease)

    forged = (deployment, nonce, terms | 1 << 240, resources_hash)

    assert refusal(exchange.submit_stale_lease, [forged], by=market.attacker) == NOTHING


def test_submit_stale_lease__empty_batch__is_refused(market, exchange):
    assert refusal(exchange.submit_stale_lease, [], by=market.facilitator) == NOTHING


def test_submit_stale_lease__batch_above_32__is_refused(market, exchange, lease):
    _miss_deadline(market, lease)

    assert refusal(exchange.submit_stale_lease, [lease.key] * 33, by=market.facilitator) == ""

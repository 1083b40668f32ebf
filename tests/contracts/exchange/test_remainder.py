"""What a deposit holds beyond whole blocks stays in the lease, and comes back with whichever end it has."""

from __future__ import annotations

import pytest

from tests.contracts.market import (
    CHARGE,
    CLOSED,
    COLLATERAL,
    GRACE,
    NO_ID,
    ORDER_CLOSED,
    PERIOD,
    PERSISTENT,
    PLAIN,
    PREPAID_BLOCKS,
    STALE,
    TIP,
    logged,
)

WORKED = 60  # blocks that a provider is paid for before most of these ends


def _close_after_work(market, order) -> None:
    market.mine_to(market.lease(order)["confirmed_block"] + WORKED)
    market.close(order)


def _confirm_closed(market, provider, order) -> None:
    market.exchange.confirm_closed(provider.number, [order.key], {"from": provider.operator})


def _call_stale(market, order) -> None:
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    market.exchange.submit_stale_lease([order.key], {"from": market.facilitator})


# ---------------------------------------------------------- ends: each returns what the tenant gets beside its prepaid


def confirmed_by_the_provider(market, provider, order) -> int:
    _close_after_work(market, order)
    _confirm_closed(market, provider, order)
    return TIP


def claimed_and_confirmed(market, provider, order) -> int:
    _close_after_work(market, order)
    market.exchange.claim([order.id], {"from": market.stranger})
    _confirm_closed(market, provider, order)
    return TIP


def removed_from_its_deployment(market, provider, order) -> int:
    market.mine_to(market.lease(order)["confirmed_block"] + WORKED)
    market.exchange.update_deployment(order.deployment, NO_ID, [], [], [order.key], {"from": market.tenant})
    _confirm_closed(market, provider, order)
    return TIP


def finished_after_its_closing(market, provider, order) -> int:
    _close_after_work(market, order)
    market.mine_to(market.next_block + GRACE)
    market.exchange.finish_leases([order.key], {"from": market.facilitator})
    return 0


def called_stale(market, provider, order) -> int:
    market.mine_to(market.lease(order)["confirmed_block"] + WORKED)
    market.confirm(provider, order)
    _call_stale(market, order)
    return COLLATERAL


def closed_when_stale(market, provider, order) -> int:
    market.mine_to(market.lease(order)["confirmed_block"] + WORKED)
    market.confirm(provider, order)
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    market.close(order)
    return COLLATERAL + TIP


def resigned(market, provider, order) -> int:
    market.mine_to(market.lease(order)["confirmed_block"] + WORKED)
    market.confirm(provider, order)
    market.exchange.submit_stale_lease([order.key], {"from": provider.owner})
    return COLLATERAL


@pytest.mark.parametrize("remainder", [0, 1, CHARGE - 1])
@pytest.mark.parametrize(
    ("end", "state"),
    [
        (confirmed_by_the_provider, CLOSED),
        (claimed_and_confirmed, CLOSED),
        (removed_from_its_deployment, CLOSED),
        (finished_after_its_closing, CLOSED),
        (called_stale, STALE),
        (closed_when_stale, STALE),
        (resigned, STALE),
    ],
)
def test_remainder__lease_that_has_worked__comes_back_at_its_end(market, provider, end, state, remainder):
    [order] = market.active(provider, deposits=[TIP + PREPAID_BLOCKS * CHARGE + remainder])
    before = market.available(market.tenant)
    assert market.lease(order)["remainder"] == remainder

    others = end(market, provider, order)

    unearned = (PREPAID_BLOCKS - WORKED) * CHARGE
    assert market.available(market.tenant) - before == unearned + remainder + others
    assert (market.lease(order)["state"], market.lease(order)["remainder"]) == (state, 0)


# ------------------------------------------------------------------------------------------- leases that are used up


@pytest.mark.parametrize("remainder", [0, 1, CHARGE - 1])
@pytest.mark.parametrize("is_revived", [False, True])
def test_remainder__exhausted_lease__comes_back_at_its_end(market, exchange, provider, is_revived, remainder):
    [order] = market.exhausted(provider, deposits=[TIP + PREPAID_BLOCKS * CHARGE + remainder])
    if is_revived:
        exchange.fund(order.key, 2 * PERIOD, {"from": market.stranger})
        market.confirm(provider, order)
        for _ in range(2):
            market.mine_to(market.lease(order)["deadline_block"])
            market.confirm(provider, order)
    before = market.available(market.tenant)
    market.mine_to(market.lease(order)["funded_block"] + GRACE + 1)

    [(_, fields)] = logged(exchange.finish_leases([order.key], {"from": market.facilitator}))

    assert fields["refund"] == market.available(market.tenant) - before == remainder


# ---------------------------------------------------------------------------------------------------------- persist


@pytest.mark.parametrize("remainder", [0, 1, CHARGE - 1])
def test_remainder__replaced_lease__is_in_the_new_order_and_comes_back_when_it_is_closed(market, provider, remainder):
    [order] = market.matched(provider, PERSISTENT, deposits=[TIP + PREPAID_BLOCKS * CHARGE + remainder])
    before = market.available(market.tenant)
    _call_stale(market, order)
    assert market.order(order.renewed())["deposit"] == PREPAID_BLOCKS * CHARGE + remainder

    market.close(order.renewed())

    assert market.available(market.tenant) - before == PREPAID_BLOCKS * CHARGE + remainder + COLLATERAL
    assert market.order(order.renewed())["state"] == ORDER_CLOSED


def test_remainder__order_closed_before_its_match__never_was(market):
    deposit = TIP + PREPAID_BLOCKS * CHARGE + CHARGE - 1
    before = market.available(market.tenant)
    [order] = market.submit(PLAIN, deposits=[deposit])

    market.close(order)

    assert before - market.available(market.tenant) == TIP  # of the deployment's closing
    assert market.lease(order)["remainder"] == 0

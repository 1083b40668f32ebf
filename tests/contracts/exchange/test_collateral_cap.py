"""What a provider has committed: locked now, or lost for good. The owner's cap bounds both together."""

from __future__ import annotations

import pytest

from tests.contracts.market import ACTIVE, COLLATERAL, STALE, bid_arguments, logged, refusal

ABOVE = "ledger: above collateral cap"


@pytest.fixture(scope="module")
def capped(market):
    """A provider with money for ten bids, of which it may commit two."""
    provider = market.register(market.owner, market.operator, cap=2 * COLLATERAL)
    market.give(provider.account, 10 * COLLATERAL)
    return provider


def _set_cap(market, provider, cap: int) -> None:
    market.registry.set_collateral_cap(provider.number, cap, {"from": provider.owner})


def _bid_refused(market, provider) -> str:
    [order] = market.submit()
    return refusal(market.exchange.submit_fulfillment, *bid_arguments(provider, order), by=provider.operator)


def _slash(market, provider):
    """Let the provider win an order that it never confirms, and return the order."""
    [order] = market.matched(provider)
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    market.exchange.submit_stale_lease([order.key], {"from": market.attacker})
    return order


def test_e09_collateral_cap__slashed_again_and_again__is_all_that_can_be_lost(market, capped):
    lost = [_slash(market, capped), _slash(market, capped)]

    assert [market.lease(each)["state"] for each in lost] == [STALE, STALE]
    assert tuple(market.view("account", capped.account)) == (8 * COLLATERAL, 2 * COLLATERAL)
    assert _bid_refused(market, capped) == ABOVE


def test_e09_collateral_cap__slashed_and_locked__are_bounded_together(market, exchange, capped):
    _slash(market, capped)
    [order] = market.submit()
    market.bid(capped, order)
    assert market.committed(capped.account) == 2 * COLLATERAL
    assert _bid_refused(market, capped) == ABOVE

    exchange.cancel_fulfillment(capped.number, order.key, {"from": capped.operator})

    assert market.committed(capped.account) == COLLATERAL
    market.bid(capped, order)
    assert _bid_refused(market, capped) == ABOVE


@pytest.mark.parametrize("missing", [0, 1])
def test_e09_collateral_cap__raised_after_a_slash__lets_so_much_more_be_committed(market, capped, missing):
    _slash(market, capped)
    _slash(market, capped)

    _set_cap(market, capped, 3 * COLLATERAL - missing)

    if missing:
        assert _bid_refused(market, capped) == ABOVE
    else:
        market.bid(capped, *market.submit())
        assert market.committed(capped.account) == 3 * COLLATERAL
        assert _bid_refused(market, capped) == ABOVE


def test_e09_collateral_cap__raised_by_the_stolen_key__is_refused(market, capped):
    raise_cap = market.registry.set_collateral_cap

    assert refusal(raise_cap, capped.number, 10 * COLLATERAL, by=capped.operator) == "registry: not the owner"


def test_e09_collateral_cap__owner_withdraws_after_slashes__gets_all_that_is_left(market, exchange, capped):
    _slash(market, capped)
    _slash(market, capped)

    exchange.withdraw(capped.account, 8 * COLLATERAL, {"from": capped.owner})

    assert tuple(market.view("account", capped.account)) == (0, 2 * COLLATERAL)
    assert refusal(exchange.withdraw, capped.account, 1, by=capped.owner) == "ledger: insufficient funds"


def test_collateral_cap__leases_that_end_well__free_what_they_committed(market, exchange, capped):
    for _ in range(3):
        [order] = market.active(capped)
        assert market.committed(capped.account) == COLLATERAL
        market.close(order)
        exchange.confirm_closed(capped.number, [order.key], {"from": capped.operator})

    assert market.committed(capped.account) == 0


def test_collateral_cap__resignation__commits_for_good_too(market, exchange, capped):
    [order] = market.active(capped)

    exchange.submit_stale_lease([order.key], {"from": capped.owner})

    assert market.committed(capped.account) == COLLATERAL


def test_collateral_cap__released_after_anothers_stale_lease__frees_the_losers(market, exchange, capped, rival):
    [order] = market.submit()
    market.bid(rival, order, 9)
    market.bid(capped, order)
    market.match(order)
    market.mine_to(market.lease(order)["deadline_block"] + 1)
    exchange.submit_stale_lease([order.key], {"from": market.facilitator})

    exchange.release_fulfillments(order.id, [capped.number, rival.number], {"from": market.stranger})

    assert (market.committed(capped.account), market.committed(rival.account)) == (0, COLLATERAL)


def test_collateral_cap__lowered_below_what_is_committed__ends_nothing_and_stops_bids(market, exchange, capped):
    [order] = market.active(capped)

    _set_cap(market, capped, 0)

    market.confirm(capped, order)
    assert market.lease(order)["state"] == ACTIVE
    assert _bid_refused(market, capped) == ABOVE
    market.close(order)
    [(_, fields)] = logged(exchange.confirm_closed(capped.number, [order.key], {"from": capped.operator}))
    assert market.available(capped.account) == 10 * COLLATERAL + fields["earned"]

"""Accounts as the view tells them."""

from __future__ import annotations

import pytest

from tests.contracts.market import COLLATERAL, NOBODY, account_of


@pytest.mark.parametrize("account", [NOBODY, account_of(99), "0x" + "77" * 20, "0x" + "ff" * 20])
def test_account__never_used__is_empty(market, account):
    assert tuple(market.view("account", account)) == (0, 0)


def test_account__provider_with_bids__shows_what_is_locked(market, provider):
    available = market.available(provider.account)
    for order in market.submit() + market.submit():
        market.bid(provider, order)

    assert tuple(market.view("account", provider.account)) == (available - 2 * COLLATERAL, 2 * COLLATERAL)


def test_account__of_a_providers_owner__is_another_than_the_providers(market, provider):
    market.give(provider.owner, 5)

    assert tuple(market.view("account", provider.owner)) == (5, 0)

"""Tokens of the exchange that come or go without it: nobody's account notices, and nobody gains."""

from __future__ import annotations

import pytest

from tests.stateful.model import MAX_MONEY
from tests.tokens.lifecycle import FIRST, OPERATORS, OWNERS, SECOND, STRANGER, TENANT, Lifecycle

DONATION = 10**24


# ------------------------------------------------------------------ fewer


def test_a02_lifecycle__balances_shrink_by_a_tenth__leases_go_on_and_the_first_to_come_are_paid() -> None:
    life = Lifecycle("RebasingToken")
    life.bring_money()
    life.run_leases()
    life.rebase(life.model.holdings * 9 // 10)
    life.compare_all()

    life.end_leases()
    for account, owner in ((FIRST, OWNERS[0]), (SECOND, OWNERS[1])):
        life.do("withdraw", owner, account, life.withdrawable(account))
    everything, held = life.withdrawable(TENANT), life.model.holdings
    assert held < everything
    assert life.refused("withdraw", TENANT, TENANT, everything) == "test token: low balance"
    assert life.refused("withdraw_to", TENANT, TENANT, held + 1, STRANGER) == "test token: low balance"
    life.do("withdraw", TENANT, TENANT, held)
    assert life.refused("withdraw", TENANT, TENANT, 1) == "test token: low balance"

    life.donate(OWNERS[0], -life.surplus)
    life.leave()


def test_a02_deposit__after_balances_shrank__is_credited_in_full_and_pays_who_comes_first() -> None:
    life = Lifecycle("RebasingToken")
    life.bring_money()
    life.rebase(0)

    assert life.refused("withdraw", OWNERS[0], FIRST, 1) == "test token: low balance"
    life.do("deposit", TENANT, TENANT, 5)
    life.do("withdraw", OWNERS[0], FIRST, 5)

    life.compare_all()


# ------------------------------------------------------------------ more


def test_a03_lifecycle__balances_grow_and_somebody_donates__no_figure_changes_and_nobody_gains() -> None:
    life = Lifecycle("RebasingToken")
    life.bring_money()
    life.rebase(life.model.holdings + DONATION)
    life.compare_all()

    life.run_leases()
    life.donate(OWNERS[0], 10**18)
    life.compare_all()
    life.do("deposit", OWNERS[1], SECOND, 7)
    life.end_leases()
    life.leave()

    assert life.surplus == life.market.tokens(life.market.exchange) == DONATION + 10**18
    for account, owner in life.accounts():
        assert life.alike("withdraw", owner, account, 1) == "ledger: insufficient funds"


@pytest.mark.parametrize("decimals", [6, 18])
def test_a03_deposit__exchange_filled_by_donations__is_refused_and_everybody_gets_out(decimals: int) -> None:
    life = Lifecycle("RebasingToken", decimals)
    most = MAX_MONEY // life.model.parameters.scale
    life.bring_money()
    life.rebase(most - 1)

    assert life.alike("deposit", TENANT, TENANT, 2) == "ledger: exchange is full"
    life.do("deposit", TENANT, TENANT, 1)
    assert life.alike("deposit", TENANT, TENANT, 1) == "ledger: exchange is full"
    life.run_leases()
    life.end_leases()

    life.leave()


def test_a03_withdraw_to__token_that_doubles_what_goes_to_oneself__never_goes_from_exchange_to_exchange() -> None:
    life = Lifecycle("RebasingToken")
    life.bring_money()
    exchange = life.market.exchange

    for caller, account in ((TENANT, TENANT), (OWNERS[0], FIRST)):
        assert life.refused("withdraw_to", caller, account, 1, exchange) == "ledger: bad recipient"

    life.do("withdraw_to", TENANT, TENANT, life.unit, OPERATORS[0])
    life.compare_all()
    assert life.token("transfer(address,uint256)", exchange, 1, caller=exchange) is None
    assert life.market.tokens(exchange) == life.model.holdings + 1  # what it would have done

"""Tokens out: whose account, how much, and who may. What only withdraw_to can do is in its own file."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import COLLATERAL, MAX_MONEY, NOBODY, account_of, deploy_market, logged, refusal

NOT_OWNER = "ledger: not the owner"
INSUFFICIENT = "ledger: insufficient funds"


@pytest.fixture(scope="module")
def saver(market):
    """The attacker, with 1,000 in its account and nothing in its wallet."""
    market.give(market.attacker, 1_000)
    return market.attacker


# -------------------------------------------------------------------------------------------------------- accepted


@pytest.mark.parametrize("amount", [1, 999, 1_000])
def test_withdraw__from_the_own_account__pays_out(market, exchange, saver, amount):
    held = market.token.balanceOf(exchange)

    tx = exchange.withdraw(saver, amount, {"from": saver})

    fields = {"account": saver.address, "recipient": saver.address, "amount": amount}
    assert logged(tx) == [("Withdrawn", fields)]
    assert tuple(exchange.account(saver)) == (1_000 - amount, 0)
    assert market.token.balanceOf(saver) == amount
    assert held - market.token.balanceOf(exchange) == amount


def test_withdraw__from_a_providers_account_by_its_owner__pays_out(market, exchange, provider):
    before = market.available(provider.account)

    tx = exchange.withdraw(provider.account, 7, {"from": provider.owner})

    fields = {"account": provider.account, "recipient": provider.owner.address, "amount": 7}
    assert logged(tx) == [("Withdrawn", fields)]
    assert before - market.available(provider.account) == 7
    assert market.token.balanceOf(provider.owner) == 7


def test_withdraw__provider_deregistered__its_owner_still_may(market, exchange, provider):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    exchange.withdraw(provider.account, 7, {"from": provider.owner})


def test_withdraw__provider_handed_over__only_the_new_owner_may(market, exchange, provider):
    market.registry.transfer_ownership(provider.number, market.stranger, {"from": provider.owner})
    offered = refusal(exchange.withdraw, provider.account, 7, by=market.stranger)
    market.registry.accept_ownership(provider.number, {"from": market.stranger})

    exchange.withdraw(provider.account, 7, {"from": market.stranger})

    assert offered == NOT_OWNER
    assert refusal(exchange.withdraw, provider.account, 7, by=provider.owner) == NOT_OWNER


# --------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("role", ["operator", "rival_owner", "rival_operator", "tenant", "stranger", "attacker"])
def test_withdraw__from_a_providers_account_by_another_than_its_owner__is_refused(
    market, exchange, provider, rival, role
):
    assert refusal(exchange.withdraw, provider.account, 1, by=getattr(market, role)) == NOT_OWNER


@pytest.mark.parametrize("role", ["owner", "stranger", "attacker", "manager"])
def test_withdraw__from_the_account_of_another__is_refused(market, exchange, provider, role):
    assert refusal(exchange.withdraw, market.tenant, 1, by=getattr(market, role)) == NOT_OWNER


@pytest.mark.parametrize("account", [NOBODY, account_of(99), account_of(2**32)])
def test_withdraw__from_the_account_of_nobody__is_refused(market, exchange, account):
    assert refusal(exchange.withdraw, account, 1, by=market.stranger) == NOT_OWNER


def test_withdraw__nothing__is_refused(exchange, saver):
    assert refusal(exchange.withdraw, saver, 0, by=saver) == "ledger: amount is zero"


@pytest.mark.parametrize("amount", [MAX_MONEY + 1, 2**256 - 1])
def test_withdraw__more_than_all_money__is_refused(exchange, saver, amount):
    assert refusal(exchange.withdraw, saver, amount, by=saver) == "ledger: amount too large"


@pytest.mark.parametrize("amount", [1_001, MAX_MONEY])
def test_withdraw__more_than_is_there__is_refused(exchange, saver, amount):
    assert refusal(exchange.withdraw, saver, amount, by=saver) == INSUFFICIENT


def test_withdraw__locked_collateral__is_refused(market, exchange):
    poor = market.register(market.owner, market.operator)
    market.give(poor.account, COLLATERAL + 1)
    [order] = market.submit()
    market.bid(poor, order)

    exchange.withdraw(poor.account, 1, {"from": poor.owner})

    assert refusal(exchange.withdraw, poor.account, 1, by=poor.owner) == INSUFFICIENT


# -------------------------------------------------------------------------------------------------- strange tokens


def test_a15_withdraw__token_with_6_decimals__leaves_the_dust_in_the_account(market, accounts):
    token = brownie.StandardToken.deploy(10**12, 6, {"from": market.deployer})
    other = deploy_market(accounts, token=token, interest_rate=0)
    unit = 10**12
    other.give(other.tenant, 3)
    provider = other.register(other.owner, other.operator)
    other.give(provider.account, 1)
    other.active(provider)  # leaves 3 units - 10,200 of the ledger
    assert other.available(other.tenant) < 3 * unit

    too_much = refusal(other.exchange.withdraw, other.tenant, 3, by=other.tenant)
    other.exchange.withdraw(other.tenant, 2, {"from": other.tenant})

    assert too_much == INSUFFICIENT
    assert token.balanceOf(other.tenant) == 2
    assert other.available(other.tenant) == unit - 10_200
    assert refusal(other.exchange.withdraw, other.tenant, 1, by=other.tenant) == INSUFFICIENT


def test_a04_withdraw__token_that_answers_nothing__pays_out(market, accounts):
    token = brownie.NoReturnToken.deploy(10**6, 18, {"from": market.deployer})
    other = deploy_market(accounts, token=token)
    other.give(other.tenant, 1_000)

    other.exchange.withdraw(other.tenant, 1_000, {"from": other.tenant})

    assert token.balanceOf(other.tenant) == 1_000


def test_a05_withdraw__token_that_answers_false__is_refused_and_keeps_the_account(market, accounts):
    token = brownie.ReturnsFalseToken.deploy(10**6, 18, {"from": market.deployer})
    token.set_refuses(False, {"from": market.deployer})
    other = deploy_market(accounts, token=token)
    other.give(other.tenant, 1_000)
    token.set_refuses(True, {"from": market.deployer})

    with brownie.reverts("ledger: token refused"):
        other.exchange.withdraw(other.tenant, 1_000, {"from": other.tenant})

    assert other.available(other.tenant) == 1_000

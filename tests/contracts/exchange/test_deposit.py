"""Tokens in: into which accounts, how much, and what of a strange token is refused."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import MAX_MONEY, NOBODY, account_of, deploy_market, logged, refusal

TOO_LARGE = "ledger: amount too large"


@pytest.fixture(scope="module")
def payer(market):
    """The attacker, with 1,000 tokens in its wallet that the exchange may take."""
    market.token.transfer(market.attacker, 1_000, {"from": market.deployer})
    market.token.approve(market.exchange, 1_000, {"from": market.attacker})
    return market.attacker


def _market_of(accounts, token):
    return deploy_market(accounts, token=token)


# -------------------------------------------------------------------------------------------------------- accepted


@pytest.mark.parametrize("amount", [1, 999, 1_000])
def test_deposit__into_the_own_account__credits_it(market, exchange, payer, amount):
    held = market.token.balanceOf(exchange)

    tx = exchange.deposit(payer, amount, {"from": payer})

    fields = {"account": payer.address, "payer": payer.address, "amount": amount}
    assert logged(tx) == [("Deposited", fields)]
    assert tuple(exchange.account(payer)) == (amount, 0)
    assert market.token.balanceOf(exchange) - held == amount
    assert market.token.balanceOf(payer) == 1_000 - amount


def test_deposit__into_the_account_of_another__is_a_gift(market, exchange, payer):
    before = market.available(market.tenant)

    tx = exchange.deposit(market.tenant, 7, {"from": payer})

    assert logged(tx) == [("Deposited", {"account": market.tenant.address, "payer": payer.address, "amount": 7})]
    assert market.available(market.tenant) - before == 7
    assert market.available(payer) == 0


def test_deposit__into_a_providers_account__credits_its_number(market, exchange, payer, provider):
    before = market.available(provider.account)

    [(_, fields)] = logged(exchange.deposit(provider.account, 7, {"from": payer}))

    assert fields["account"] == account_of(provider.number)
    assert market.available(provider.account) - before == 7


def test_deposit__into_the_account_of_a_deregistered_provider__is_accepted(market, exchange, payer, provider):
    market.registry.deregister_provider(provider.number, {"from": provider.owner})

    exchange.deposit(provider.account, 7, {"from": payer})


def test_deposit__first_address_above_all_numbers__is_a_wallet(market, exchange, payer):
    exchange.deposit(account_of(2**32), 1, {"from": payer})

    assert market.available(account_of(2**32)) == 1


def test_deposit__twice__adds_up(market, exchange, payer):
    exchange.deposit(payer, 3, {"from": payer})
    exchange.deposit(payer, 4, {"from": payer})

    assert market.available(payer) == 7


def test_deposit__into_the_exchanges_own_account__takes_nothing_from_others(market, exchange, payer):
    exchange.deposit(exchange, 3, {"from": payer})

    assert market.available(exchange) == 3


# --------------------------------------------------------------------------------------------------------- refused


def test_deposit__into_no_account__is_refused(exchange, payer):
    assert refusal(exchange.deposit, NOBODY, 1, by=payer) == "ledger: no account"


def test_deposit__nothing__is_refused(exchange, payer):
    assert refusal(exchange.deposit, payer, 0, by=payer) == "ledger: amount is zero"


@pytest.mark.parametrize("amount", [MAX_MONEY + 1, 2**256 - 1])
def test_a17_deposit__more_than_all_money__is_refused(exchange, payer, amount):
    assert refusal(exchange.deposit, payer, amount, by=payer) == TOO_LARGE


@pytest.mark.parametrize("number", [2, 99, 2**32 - 1])
def test_deposit__into_the_account_of_no_provider__is_refused(exchange, payer, provider, number):
    assert refusal(exchange.deposit, account_of(number), 1, by=payer) == "ledger: unknown provider"


def test_deposit__not_allowed_to_take_so_much__is_refused(exchange, payer):
    assert refusal(exchange.deposit, payer, 1_001, by=payer) == "token: insufficient allowance"


def test_deposit__allowed_but_not_there__is_refused(market, exchange, payer):
    market.token.approve(exchange, 2_000, {"from": payer})

    assert refusal(exchange.deposit, payer, 1_001, by=payer) == "token: insufficient balance"


def test_deposit__allowance_of_another__cannot_be_used(market, exchange, payer):
    assert refusal(exchange.deposit, payer, 1, by=market.stranger) == "token: insufficient allowance"


# --------------------------------------------------------------------------------------------------- the capacity


def test_a17_deposit__all_money_there_can_be__fills_the_exchange(market, accounts):
    token = brownie.StandardToken.deploy(MAX_MONEY + 1, 18, {"from": market.deployer})
    other = _market_of(accounts, token)
    other.exchange.deposit(other.tenant, MAX_MONEY, {"from": other.deployer})

    assert tuple(other.exchange.account(other.tenant)) == (MAX_MONEY, 0)
    assert refusal(other.exchange.deposit, other.tenant, 1, by=other.deployer) == "ledger: exchange is full"


@pytest.mark.parametrize(("decimals", "scale"), [(0, 10**18), (6, 10**12), (18, 1), (19, 1), (36, 1)])
def test_a15_deposit__token_with_other_decimals__is_counted_in_18(market, accounts, decimals, scale):
    token = brownie.StandardToken.deploy(MAX_MONEY, decimals, {"from": market.deployer})
    other = _market_of(accounts, token)
    most = MAX_MONEY // scale

    tx = other.exchange.deposit(other.tenant, 1, {"from": other.deployer})
    other.exchange.deposit(other.tenant, most - 1, {"from": other.deployer})

    assert other.exchange.market_parameters()["ledger_scale"] == scale
    assert logged(tx)[0][1]["amount"] == scale
    assert tuple(other.exchange.account(other.tenant)) == (most * scale, 0)
    if most < MAX_MONEY:
        assert refusal(other.exchange.deposit, other.tenant, 1, by=other.deployer) == "ledger: exchange is full"


# -------------------------------------------------------------------------------------------------- strange tokens


def test_a01_deposit__token_that_takes_a_fee__is_refused(market, accounts):
    token = brownie.FeeOnTransferToken.deploy(10**6, 18, {"from": market.deployer})
    other = _market_of(accounts, token)

    assert refusal(other.exchange.deposit, other.tenant, 10_000, by=other.deployer) == "ledger: short transfer"


def test_a05_deposit__token_that_answers_false__is_refused(market, accounts):
    token = brownie.ReturnsFalseToken.deploy(10**6, 18, {"from": market.deployer})
    other = _market_of(accounts, token)

    assert refusal(other.exchange.deposit, other.tenant, 10_000, by=other.deployer) == "ledger: token refused"


def test_a04_deposit__token_that_answers_nothing__is_accepted(market, accounts):
    token = brownie.NoReturnToken.deploy(10**6, 6, {"from": market.deployer})
    other = _market_of(accounts, token)

    other.exchange.deposit(other.tenant, 10_000, {"from": other.deployer})

    assert other.available(other.tenant) == 10_000 * 10**12


def test_a03_deposit__tokens_sent_without_a_deposit__are_nobodys(accounts, market):
    other = deploy_market(accounts)
    other.token.transfer(other.exchange, 100, {"from": other.deployer})

    other.give(other.tenant, 5)

    assert other.available(other.tenant) == 5
    assert other.token.balanceOf(other.exchange) == 105

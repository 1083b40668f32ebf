"""withdraw_to: the same as withdraw, to somebody else; a way out for who may not hold the token any more."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import MAX_MONEY, NOBODY, deploy_market, logged, refusal

NOT_OWNER = "ledger: not the owner"
BAD_RECIPIENT = "ledger: bad recipient"


@pytest.fixture(scope="module")
def saver(market):
    """The attacker, with 1,000 in its account."""
    market.give(market.attacker, 1_000)
    return market.attacker


@pytest.mark.parametrize("amount", [1, 1_000])
def test_withdraw_to__another_wallet__is_paid(market, exchange, saver, amount):
    tx = exchange.withdraw_to(saver, amount, market.facilitator, {"from": saver})

    fields = {"account": saver.address, "recipient": market.facilitator.address, "amount": amount}
    assert logged(tx) == [("Withdrawn", fields)]
    assert tuple(exchange.account(saver)) == (1_000 - amount, 0)
    assert market.token.balanceOf(market.facilitator) == amount
    assert market.available(market.facilitator) == 0


def test_withdraw_to__by_a_providers_owner__pays_from_its_account(market, exchange, provider):
    before = market.available(provider.account)

    [(_, fields)] = logged(exchange.withdraw_to(provider.account, 7, market.facilitator, {"from": provider.owner}))

    assert (fields["account"], fields["recipient"]) == (provider.account, market.facilitator.address)
    assert before - market.available(provider.account) == 7


@pytest.mark.parametrize("role", ["operator", "stranger", "rival_owner"])
def test_withdraw_to__account_of_another__is_refused(market, exchange, provider, role):
    caller = getattr(market, role)

    assert refusal(exchange.withdraw_to, market.tenant, 1, caller, by=caller) == NOT_OWNER
    assert refusal(exchange.withdraw_to, provider.account, 1, caller, by=caller) == NOT_OWNER


def test_withdraw_to__nobody_or_the_exchange_itself__is_refused(exchange, saver):
    assert refusal(exchange.withdraw_to, saver, 1, NOBODY, by=saver) == BAD_RECIPIENT
    assert refusal(exchange.withdraw_to, saver, 1, exchange, by=saver) == BAD_RECIPIENT


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "ledger: amount is zero"),
        (1_001, "ledger: insufficient funds"),
        (MAX_MONEY, "ledger: insufficient funds"),
        (MAX_MONEY + 1, "ledger: amount too large"),
        (2**256 - 1, "ledger: amount too large"),
    ],
)
def test_withdraw_to__amount_out_of_bounds__is_refused(market, exchange, saver, amount, text):
    assert refusal(exchange.withdraw_to, saver, amount, market.facilitator, by=saver) == text


def test_a11_withdraw_to__owner_blocked_by_the_token__gets_out_by_another_wallet_and_harms_nobody(market, accounts):
    token = brownie.RestrictedToken.deploy(10**6, 18, {"from": market.deployer})
    other = deploy_market(accounts, token=token)
    other.give(other.tenant, 1_000)
    other.give(other.stranger, 1_000)
    token.set_blocked(other.tenant, True, {"from": other.deployer})
    blocked = refusal(other.exchange.withdraw, other.tenant, 1_000, by=other.tenant)

    other.exchange.withdraw(other.stranger, 1_000, {"from": other.stranger})
    other.exchange.withdraw_to(other.tenant, 1_000, other.facilitator, {"from": other.tenant})

    assert blocked == "test token: blocked"
    assert token.balanceOf(other.stranger) == token.balanceOf(other.facilitator) == 1_000
    assert token.balanceOf(other.exchange) == 0

"""deposit_with_permit: one transaction instead of approve and deposit, with nothing for others to spoil or to steal."""

from __future__ import annotations

import brownie
import pytest
from eth_account import Account

from tests.contracts.market import MAX_MONEY, NOBODY, account_of, deploy_market, logged, refusal
from tests.contracts.token.permits import Permit, domain_of

LOW_ALLOWANCE = "token: insufficient allowance"
FAR = 2**256 - 1


@pytest.fixture(scope="module")
def payer(market, accounts):
    """A wallet with 1,000 tokens and no allowance."""
    key = Account.create("a wallet that signs").key.hex()
    wallet = accounts.add(key)
    market.deployer.transfer(wallet, "1 ether")
    market.token.transfer(wallet, 1_000, {"from": market.deployer})
    yield wallet
    accounts.remove(wallet)


def _sign(market, payer, amount, *, spender=None, deadline=FAR):
    """Return what a permit of the exchange's token is called with behind owner, spender and amount."""
    token, spender = market.token, spender or market.exchange
    permit = Permit(payer.address, spender.address, amount, token.nonces(payer), deadline)
    signature = permit.sign(Account.from_key(payer.private_key), domain_of(token, brownie.web3.eth.chain_id))
    return deadline, *signature.words


@pytest.mark.parametrize("amount", [1, 1_000])
def test_deposit_with_permit__signed_by_the_caller__deposits(market, exchange, payer, amount):
    permit = _sign(market, payer, amount)

    tx = exchange.deposit_with_permit(payer, amount, *permit, {"from": payer})

    assert logged(tx) == [("Deposited", {"account": payer.address, "payer": payer.address, "amount": amount})]
    assert market.available(payer) == amount
    assert market.token.allowance(payer, exchange) == 0
    assert market.token.nonces(payer) == 1


def test_deposit_with_permit__into_a_providers_account__credits_it(market, exchange, payer, provider):
    permit = _sign(market, payer, 7)
    before = market.available(provider.account)

    exchange.deposit_with_permit(provider.account, 7, *permit, {"from": payer})

    assert market.available(provider.account) - before == 7


def test_a08_deposit_with_permit__permit_used_by_somebody_else__deposits_all_the_same(market, exchange, payer):
    permit = _sign(market, payer, 500)
    market.token.permit(payer, exchange, 500, *permit, {"from": market.attacker})

    exchange.deposit_with_permit(payer, 500, *permit, {"from": payer})

    assert market.available(payer) == 500


def test_deposit_with_permit__bad_signature_but_an_allowance__deposits(market, exchange, payer):
    market.token.approve(exchange, 500, {"from": payer})

    exchange.deposit_with_permit(payer, 500, 0, 27, b"\1" * 32, b"\2" * 32, {"from": payer})

    assert market.available(payer) == 500


def test_a10_deposit_with_permit__used_twice__is_refused(market, exchange, payer):
    permit = _sign(market, payer, 500)
    exchange.deposit_with_permit(payer, 500, *permit, {"from": payer})

    assert refusal(exchange.deposit_with_permit, payer, 500, *permit, by=payer) == LOW_ALLOWANCE


def test_deposit_with_permit__expired__is_refused(market, exchange, payer):
    permit = _sign(market, payer, 500, deadline=1)

    assert refusal(exchange.deposit_with_permit, payer, 500, *permit, by=payer) == LOW_ALLOWANCE


@pytest.mark.parametrize("amount", [499, 501])
def test_deposit_with_permit__signed_for_another_amount__is_refused(market, exchange, payer, amount):
    permit = _sign(market, payer, amount)

    assert refusal(exchange.deposit_with_permit, payer, 500, *permit, by=payer) == LOW_ALLOWANCE


def test_deposit_with_permit__signed_for_another_spender__is_refused(market, exchange, payer):
    permit = _sign(market, payer, 500, spender=market.stranger)

    assert refusal(exchange.deposit_with_permit, payer, 500, *permit, by=payer) == LOW_ALLOWANCE


def test_a08_deposit_with_permit__signature_of_another__cannot_be_used(market, exchange, payer):
    permit = _sign(market, payer, 500)

    text = refusal(exchange.deposit_with_permit, market.attacker, 500, *permit, by=market.attacker)

    assert text == LOW_ALLOWANCE


def test_deposit_with_permit__allowance_of_the_signer_is_there__cannot_be_used_by_another(market, exchange, payer):
    permit = _sign(market, payer, 500)
    market.token.permit(payer, exchange, 500, *permit, {"from": market.attacker})

    text = refusal(exchange.deposit_with_permit, market.attacker, 500, *permit, by=market.attacker)

    assert text == LOW_ALLOWANCE


@pytest.mark.parametrize(
    ("account", "amount", "text"),
    [
        (NOBODY, 1, "ledger: no account"),
        (account_of(99), 1, "ledger: unknown provider"),
        (account_of(2**32), 0, "ledger: amount is zero"),
        (account_of(2**32), MAX_MONEY + 1, "ledger: amount too large"),
    ],
)
def test_deposit_with_permit__what_a_deposit_refuses__is_refused(market, exchange, payer, account, amount, text):
    permit = _sign(market, payer, amount)

    assert refusal(exchange.deposit_with_permit, account, amount, *permit, by=payer) == text


def test_a09_deposit_with_permit__token_whose_permit_does_nothing__needs_an_allowance(market, accounts):
    token = brownie.PhantomPermitToken.deploy(10**6, 18, {"from": market.deployer})
    other = deploy_market(accounts, token=token)
    token.transfer(other.tenant, 1_000, {"from": other.deployer})
    arguments = other.tenant, 1_000, 2**256 - 1, 27, b"\1" * 32, b"\2" * 32
    before = refusal(other.exchange.deposit_with_permit, *arguments, by=other.tenant)
    token.approve(other.exchange, 1_000, {"from": other.tenant})

    other.exchange.deposit_with_permit(*arguments, {"from": other.tenant})

    assert before == "test token: low allowance"
    assert other.available(other.tenant) == 1_000


def test_a09_deposit_with_permit__token_without_permit__needs_an_allowance(market, accounts):
    token = brownie.NoReturnToken.deploy(10**6, 18, {"from": market.deployer})
    other = deploy_market(accounts, token=token)
    arguments = other.tenant, 1_000, 2**256 - 1, 27, b"\1" * 32, b"\2" * 32

    other.exchange.deposit_with_permit(*arguments, {"from": other.deployer})

    assert other.available(other.tenant) == 1_000

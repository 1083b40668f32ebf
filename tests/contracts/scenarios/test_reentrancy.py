"""A token that calls back: from within deposit and withdraw nothing of the exchange can be entered, not even a view."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import deploy_market, refusal, word_of


@pytest.fixture(scope="module")
def trap(accounts, module_isolation):
    """A market of a token that calls back; the token has an account of 1,000 and the tenant one of 10^6."""
    token = brownie.ReentrantToken.deploy(10**12, 18, {"from": accounts[0]})
    market = deploy_market(accounts, token=token)
    market.give(market.tenant, 10**6)
    market.give(token, 1_000)
    return market


def _calls(market) -> dict[str, str]:
    """Return calls back that would work outside of a transfer, for the token as the caller."""
    exchange, token = market.exchange, market.token
    return {
        "withdraw": exchange.withdraw.encode_input(token, 1_000),
        "withdraw_to": exchange.withdraw_to.encode_input(token, 1_000, market.attacker),
        "account": exchange.account.encode_input(market.tenant),
        "deployment_id": exchange.deployment_id.encode_input(token, word_of(1)),
    }


@pytest.mark.parametrize("name", ["withdraw", "withdraw_to"])
def test_reentrancy__call_back_outside_of_a_transfer__would_work(trap, name):
    method = getattr(trap.exchange, name)
    arguments = (trap.token, 1_000) if name == "withdraw" else (trap.token, 1_000, trap.attacker)

    with pytest.raises(AssertionError, match="was accepted"):
        refusal(method, *arguments, by=trap.token)


@pytest.mark.parametrize("name", ["withdraw", "withdraw_to", "account", "deployment_id"])
def test_reentrancy__during_a_withdrawal__every_call_back_fails(trap, name):
    trap.token.attack(trap.exchange, _calls(trap)[name], {"from": trap.attacker})

    trap.exchange.withdraw(trap.tenant, 500, {"from": trap.tenant})

    assert (trap.token.attempts(), trap.token.successes()) == (1, 0)
    assert trap.available(trap.tenant) == 10**6 - 500
    assert trap.available(trap.token) == 1_000


@pytest.mark.parametrize("name", ["withdraw", "withdraw_to", "account", "deployment_id"])
def test_reentrancy__during_a_deposit__every_call_back_fails(trap, name):
    trap.token.attack(trap.exchange, _calls(trap)[name], {"from": trap.attacker})

    trap.give(trap.tenant, 500)

    assert (trap.token.attempts(), trap.token.successes()) == (1, 0)
    assert trap.available(trap.tenant) == 10**6 + 500
    assert trap.available(trap.token) == 1_000


def test_reentrancy__deposit_within_a_deposit__credits_the_outer_one_alone(trap):
    trap.token.transfer(trap.token, 100, {"from": trap.deployer})
    call = trap.exchange.deposit.encode_input(trap.attacker, 100)
    trap.token.attack(trap.exchange, call, {"from": trap.attacker})

    trap.give(trap.tenant, 500)

    assert trap.token.successes() == 0
    assert trap.available(trap.attacker) == 0
    assert trap.available(trap.tenant) == 10**6 + 500

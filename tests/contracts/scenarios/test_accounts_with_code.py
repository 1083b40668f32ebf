"""Accounts with keys may have code as well (EIP-7702): all roles have it here, and nothing is different."""

from __future__ import annotations

import brownie
import pytest

from tests.contracts.market import CLOSED, COLLATERAL, DEPOSIT, TIP, deploy_market

DELEGATION = "0xef0100"  # and an address: what the code of such an account is


@pytest.fixture(scope="module")
def delegated(accounts, module_isolation):
    """A market on which each account has delegated itself to the code of the token."""
    market = deploy_market(accounts)
    for account in accounts:
        code = DELEGATION + market.token.address.removeprefix("0x")
        brownie.web3.provider.make_request("anvil_setCode", [account.address, code])
    assert all(len(brownie.web3.eth.get_code(account.address)) == 23 for account in accounts)
    return market


def test_e05_lifecycle__everybody_has_code__goes_its_way(delegated):
    market = delegated
    for account, amount in ((market.tenant, DEPOSIT + 2 * TIP), (market.owner, COLLATERAL)):
        market.token.transfer(account, amount, {"from": market.deployer})
        market.token.approve(market.exchange, amount, {"from": account})
    market.exchange.deposit(market.tenant, DEPOSIT + 2 * TIP, {"from": market.tenant})
    provider = market.register(market.owner, market.operator)
    market.exchange.deposit(provider.account, COLLATERAL, {"from": market.owner})

    (order,) = market.active(provider)
    market.mine_to(market.next_block + 9)
    market.close(order)
    market.exchange.confirm_closed(provider.number, [order.key], {"from": market.operator})
    market.exchange.deployment_closed([order.deployment], {"from": market.stranger})

    assert market.lease(order)["state"] == CLOSED
    for account, caller in (
        (market.tenant, market.tenant),
        (provider.account, market.owner),
        (market.facilitator, market.facilitator),
        (market.stranger, market.stranger),
    ):
        market.exchange.withdraw(account, market.available(account), {"from": caller})
    assert market.token.balanceOf(market.exchange) == 0
    assert market.token.balanceOf(market.owner) > COLLATERAL
    assert market.token.balanceOf(market.facilitator) == TIP

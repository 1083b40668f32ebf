"""Ids of deployments: bound to chain, exchange, tenant and salt."""

from __future__ import annotations

import brownie
from eth_abi import encode
from eth_utils import keccak

from tests.contracts.market import deploy_market, word_of


def test_deployment_id__tenant_and_salt__are_hashed_with_chain_and_exchange(market, exchange):
    salt = word_of(5)
    words = [brownie.web3.eth.chain_id, exchange.address, market.tenant.address, bytes.fromhex(salt[2:])]

    expected = keccak(encode(["uint256", "address", "address", "bytes32"], words))

    assert market.view("deployment_id", market.tenant, salt) == "0x" + expected.hex()


def test_deployment_id__other_tenant_salt_or_exchange__is_another(market, accounts):
    other = deploy_market(accounts)

    ids = {
        str(market.view("deployment_id", market.tenant, word_of(5))),
        str(market.view("deployment_id", market.stranger, word_of(5))),
        str(market.view("deployment_id", market.tenant, word_of(6))),
        str(other.view("deployment_id", market.tenant, word_of(5))),
    }

    assert len(ids) == 4

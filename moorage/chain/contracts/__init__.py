"""The three contracts of a market: typed reads at one block, and the calls that change them."""

from __future__ import annotations

from moorage.chain.contracts.contract import Call
from moorage.chain.contracts.exchange import (
    DEPLOYMENT_STATES,
    ORDER_STATES,
    Bid,
    DeploymentWord,
    Exchange,
    OrderWord,
    Permit,
    provider_account,
)
from moorage.chain.contracts.registry import Registry
from moorage.chain.contracts.token import Token

__all__ = [
    "DEPLOYMENT_STATES",
    "ORDER_STATES",
    "Bid",
    "Call",
    "DeploymentWord",
    "Exchange",
    "OrderWord",
    "Permit",
    "Registry",
    "Token",
    "provider_account",
]

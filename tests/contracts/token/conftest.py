"""A token of which the holder has everything, fresh for each test."""

from __future__ import annotations

from typing import Any

import brownie
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.contracts.token.permits import SUPPLY


@pytest.fixture(scope="module")
def holder(accounts: Any) -> Any:
    return accounts[0]


@pytest.fixture(scope="module")
def spender(accounts: Any) -> Any:
    return accounts[1]


@pytest.fixture(scope="module")
def receiver(accounts: Any) -> Any:
    return accounts[2]


@pytest.fixture(scope="module")
def token(module_isolation: None, holder: Any) -> Any:
    return brownie.MoorageToken.deploy(SUPPLY, {"from": holder})


@pytest.fixture(scope="session")
def signer() -> LocalAccount:
    """An owner of tokens that signs and never sends."""
    signer: LocalAccount = Account.from_key("0x" + "51" * 32)
    return signer


@pytest.fixture(scope="session")
def other_signer() -> LocalAccount:
    signer: LocalAccount = Account.from_key("0x" + "52" * 32)
    return signer

"""A registry with one provider, fresh for each test."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.registry.registration import ROOT_DELAY, Registration


@pytest.fixture(scope="module")
def owner(accounts: Any) -> Any:
    return accounts[1]


@pytest.fixture(scope="module")
def operator(accounts: Any) -> Any:
    return accounts[2]


@pytest.fixture(scope="module")
def stranger(accounts: Any) -> Any:
    """Owns and operates a provider of its own, number 2."""
    return accounts[3]


@pytest.fixture(scope="module")
def new_owner(accounts: Any) -> Any:
    return accounts[4]


@pytest.fixture(scope="module")
def registry(module_isolation: None, accounts: Any) -> Any:
    return brownie.ProviderRegistry.deploy(ROOT_DELAY, {"from": accounts[0]})


@pytest.fixture(scope="module")
def empty_registry(module_isolation: None, accounts: Any) -> Any:
    """One in which nobody is registered."""
    return brownie.ProviderRegistry.deploy(ROOT_DELAY, {"from": accounts[0]})


@pytest.fixture(scope="module")
def provider(registry: Any, owner: Any, operator: Any, stranger: Any) -> int:
    """The number of a provider; another one is registered after it."""
    registry.register_provider(*Registration(operator), {"from": owner})
    registry.register_provider(*Registration(stranger, certificate=b"of the stranger"), {"from": stranger})
    return 1

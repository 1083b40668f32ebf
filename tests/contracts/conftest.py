"""The market on which contract tests run, fresh for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contracts import client
from tests.contracts.market import Market, Provider, deploy_market
from tests.contracts.observer import Observer


@pytest.fixture(scope="session", autouse=True)
def _tuned_client() -> None:
    client.tune()


@pytest.fixture(autouse=True)
def _isolation(fn_isolation: None) -> None:
    """Undo what a test did; Brownie runs nothing else in parallel."""


@pytest.fixture(scope="module")
def market(module_isolation: None, accounts: Any) -> Market:
    """A market whose tenant and stranger have money."""
    market = deploy_market(accounts)
    market.give(market.tenant, 10**7)
    market.give(market.stranger, 10**7)
    return market


@pytest.fixture(scope="module")
def exchange(market: Market) -> Any:
    return market.exchange


@pytest.fixture(scope="module")
def provider(market: Market) -> Provider:
    """A provider in the west, with collateral for anything."""
    return _funded(market, market.register(market.owner, market.operator))


@pytest.fixture(scope="module")
def rival(market: Market, provider: Provider) -> Provider:
    """Another provider in the west, of another owner."""
    return _funded(market, market.register(market.rival_owner, market.rival_operator))


@pytest.fixture(scope="module")
def third(market: Market, rival: Provider) -> Provider:
    """A third provider in the west; it has the rival's keys."""
    return _funded(market, market.register(market.rival_owner, market.rival_operator))


def _funded(market: Market, provider: Provider) -> Provider:
    market.give(provider.account, 10**7)
    return provider


@pytest.fixture(autouse=True)
def _observed(request: pytest.FixtureRequest, _isolation: None) -> Iterator[None]:
    """Rebuild the market from its events after each test on it; it must come out as the views say, to the last unit."""
    yield
    if "market" in request.fixturenames:
        Observer(request.getfixturevalue("market")).check()

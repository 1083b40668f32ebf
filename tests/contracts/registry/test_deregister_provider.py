"""Leaving: what ends with it and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import UNKNOWN, Registration, profile_of, roots_of


def test_deregister_provider__registered__keeps_all_but_the_region(
    registry: Any, provider: int, owner: Any, operator: Any
) -> None:
    before, roots = profile_of(registry, provider), roots_of(registry, provider)

    transaction = registry.deregister_provider(provider, {"from": owner})

    assert profile_of(registry, provider) == before | {"region": 0}
    assert roots_of(registry, provider) == roots
    assert registry.bidder(provider) == (operator, 0, 10**18)
    assert (registry.owner_of(provider), registry.operator_of(provider)) == (owner, operator)
    assert events_of(transaction) == [("ProviderDeregistered", {"provider": provider})]


def test_deregister_provider__last_region__is_cleared(registry: Any, provider: int, owner: Any) -> None:
    registry.update_provider(provider, 2**31, "e", "", {"from": owner})

    registry.deregister_provider(provider, {"from": owner})

    assert profile_of(registry, provider)["region"] == 0


def test_deregister_provider__deregistered__its_number_is_not_given_away(
    registry: Any, provider: int, owner: Any, operator: Any
) -> None:
    registry.deregister_provider(provider, {"from": owner})

    registry.register_provider(*Registration(operator), {"from": owner})

    assert (registry.owner_of(3), registry.bidder(provider)[1]) == (owner, 0)


def test_deregister_provider__twice__is_refused(registry: Any, provider: int, owner: Any) -> None:
    registry.deregister_provider(provider, {"from": owner})

    assert refusal(registry.deregister_provider, provider, by=owner) == "registry: not registered"


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_deregister_provider__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.deregister_provider, provider, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN])
def test_deregister_provider__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.deregister_provider, number, by=owner) == "registry: not the owner"

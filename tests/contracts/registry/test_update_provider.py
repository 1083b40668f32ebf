"""Changing where a provider is and what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import EAST, MAX_WORD, UNKNOWN, profile_of

UPDATE = (EAST, "https://east.example", '{"tier": 4}')


def test_update_provider__by_the_owner__changes_region_and_block_only(registry: Any, provider: int, owner: Any) -> None:
    before = profile_of(registry, provider)

    transaction = registry.update_provider(provider, *UPDATE, {"from": owner})

    assert profile_of(registry, provider) == before | {"region": EAST, "updated_block": transaction.block_number}
    assert events_of(transaction) == [
        (
            "ProviderUpdated",
            {
                "provider": provider,
                "region": EAST,
                "endpoint": "https://east.example",
                "attributes": '{"tier": 4}',
            },
        )
    ]


def test_update_provider__deregistered__is_back(registry: Any, provider: int, owner: Any, operator: Any) -> None:
    registry.deregister_provider(provider, {"from": owner})

    registry.update_provider(provider, *UPDATE, {"from": owner})

    assert registry.bidder(provider) == (operator, EAST, 10**18)


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_update_provider__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.update_provider, provider, *UPDATE, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN, 2**32, MAX_WORD])
def test_update_provider__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.update_provider, number, *UPDATE, by=owner) == "registry: not the owner"


@pytest.mark.parametrize("region", [0, 3, 2**32, MAX_WORD])
def test_update_provider__not_one_region__is_refused(registry: Any, provider: int, owner: Any, region: int) -> None:
    assert refusal(registry.update_provider, provider, region, "https://e", "", by=owner) == "registry: bad region"


@pytest.mark.parametrize("region", [1, 2**31])
def test_update_provider__first_and_last_region__are_stored(
    registry: Any, provider: int, owner: Any, region: int
) -> None:
    registry.update_provider(provider, region, "e", "", {"from": owner})

    assert profile_of(registry, provider)["region"] == region


def test_update_provider__no_endpoint__is_refused(registry: Any, provider: int, owner: Any) -> None:
    assert refusal(registry.update_provider, provider, EAST, "", "", by=owner) == "registry: no endpoint"


@pytest.mark.parametrize(("endpoint", "attributes"), [("e" * 257, ""), ("e", "a" * 1025)])
def test_update_provider__text_too_long__reverts(
    registry: Any, provider: int, owner: Any, endpoint: str, attributes: str
) -> None:
    assert refusal(registry.update_provider, provider, EAST, endpoint, attributes, by=owner) == ""

"""Limiting what a stolen hot key can lose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import MAX_CAP, MAX_WORD, UNKNOWN, profile_of


@pytest.mark.parametrize("cap", [0, 1, MAX_CAP])
def test_set_collateral_cap__in_bounds__changes_the_cap_only(
    registry: Any, provider: int, owner: Any, cap: int
) -> None:
    before = profile_of(registry, provider)

    transaction = registry.set_collateral_cap(provider, cap, {"from": owner})

    assert profile_of(registry, provider) == before | {"collateral_cap": cap}
    assert events_of(transaction) == [("CollateralCapSet", {"provider": provider, "collateral_cap": cap})]


@pytest.mark.parametrize("cap", [MAX_CAP + 1, MAX_WORD])
def test_set_collateral_cap__above_bound__is_refused(registry: Any, provider: int, owner: Any, cap: int) -> None:
    assert refusal(registry.set_collateral_cap, provider, cap, by=owner) == "registry: cap too high"


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_set_collateral_cap__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.set_collateral_cap, provider, 1, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN])
def test_set_collateral_cap__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.set_collateral_cap, number, 1, by=owner) == "registry: not the owner"

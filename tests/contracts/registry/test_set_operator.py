"""Replacing the hot key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import NOBODY, UNKNOWN, profile_of


def test_set_operator__by_the_owner__changes_the_operator_only(
    registry: Any, provider: int, owner: Any, new_owner: Any
) -> None:
    before = profile_of(registry, provider)

    transaction = registry.set_operator(provider, new_owner, {"from": owner})

    assert profile_of(registry, provider) == before | {"operator": new_owner}
    assert registry.operator_of(provider) == new_owner
    assert events_of(transaction) == [("OperatorSet", {"provider": provider, "operator": new_owner})]


def test_set_operator__highest_address__leaves_the_cap(registry: Any, provider: int, owner: Any) -> None:
    highest = "0x" + "ff" * 20

    registry.set_operator(provider, highest, {"from": owner})

    assert registry.bidder(provider) == ("0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF", 1, 10**18)


def test_set_operator__operator_of_another_provider__serves_both(
    registry: Any, provider: int, owner: Any, stranger: Any
) -> None:
    registry.set_operator(provider, stranger, {"from": owner})

    assert registry.operator_of(provider) == registry.operator_of(2) == stranger


def test_set_operator__nobody__is_refused(registry: Any, provider: int, owner: Any) -> None:
    assert refusal(registry.set_operator, provider, NOBODY, by=owner) == "registry: no operator"


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_set_operator__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.set_operator, provider, by, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN])
def test_set_operator__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.set_operator, number, owner, by=owner) == "registry: not the owner"

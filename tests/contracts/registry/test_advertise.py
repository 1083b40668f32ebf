"""Announcing free capacity: by whom, and that it changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import MAX_WORD, UNKNOWN, profile_of


@pytest.mark.parametrize("caller", ["operator", "owner"])
def test_advertise__by_either_key__announces_and_stores_nothing(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    before = profile_of(registry, provider)

    transaction = registry.advertise(provider, 4_000, 2**33, 10**11, 7, {"from": request.getfixturevalue(caller)})

    assert profile_of(registry, provider) == before
    assert events_of(transaction) == [
        (
            "CapacityAdvertised",
            {"provider": provider, "milli_cpu": 4_000, "memory_bytes": 2**33, "disk_bytes": 10**11, "price": 7},
        )
    ]


@pytest.mark.parametrize("amount", [0, 1, MAX_WORD])
def test_advertise__any_amount__is_announced_as_given(registry: Any, provider: int, operator: Any, amount: int) -> None:
    transaction = registry.advertise(provider, amount, amount, amount, amount, {"from": operator})

    announced = transaction.events["CapacityAdvertised"]
    assert [announced[key] for key in ("milli_cpu", "memory_bytes", "disk_bytes", "price")] == [amount] * 4


def test_advertise__deregistered__is_still_announced(registry: Any, provider: int, owner: Any, operator: Any) -> None:
    registry.deregister_provider(provider, {"from": owner})

    transaction = registry.advertise(provider, 0, 0, 0, 0, {"from": operator})

    assert transaction.events["CapacityAdvertised"]["provider"] == provider


def test_advertise__by_a_stranger__is_refused(registry: Any, provider: int, stranger: Any) -> None:
    assert refusal(registry.advertise, provider, 1, 1, 1, 1, by=stranger) == "registry: not the owner"


def test_advertise__by_a_replaced_operator__is_refused(
    registry: Any, provider: int, owner: Any, operator: Any, new_owner: Any
) -> None:
    registry.set_operator(provider, new_owner, {"from": owner})

    assert refusal(registry.advertise, provider, 1, 1, 1, 1, by=operator) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN, MAX_WORD])
def test_advertise__unknown_number__is_refused(registry: Any, provider: int, operator: Any, number: int) -> None:
    assert refusal(registry.advertise, number, 1, 1, 1, 1, by=operator) == "registry: not the owner"

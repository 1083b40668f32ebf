"""Offering a provider to another key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import NOBODY, UNKNOWN, profile_of


def test_transfer_ownership__offered__changes_nothing_but_the_offer(
    registry: Any, provider: int, owner: Any, new_owner: Any
) -> None:
    before = profile_of(registry, provider)

    transaction = registry.transfer_ownership(provider, new_owner, {"from": owner})

    assert profile_of(registry, provider) == before | {"pending_owner": new_owner}
    assert registry.owner_of(provider) == owner
    assert events_of(transaction) == [("OwnershipOffered", {"provider": provider, "new_owner": new_owner})]


def test_transfer_ownership__to_nobody__takes_the_offer_back(
    registry: Any, provider: int, owner: Any, new_owner: Any
) -> None:
    registry.transfer_ownership(provider, new_owner, {"from": owner})

    registry.transfer_ownership(provider, NOBODY, {"from": owner})

    assert profile_of(registry, provider)["pending_owner"] == NOBODY
    assert refusal(registry.accept_ownership, provider, by=new_owner) == "registry: not offered"


def test_transfer_ownership__to_another_instead__only_the_last_may_accept(
    registry: Any, provider: int, owner: Any, stranger: Any, new_owner: Any
) -> None:
    registry.transfer_ownership(provider, stranger, {"from": owner})

    registry.transfer_ownership(provider, new_owner, {"from": owner})

    assert refusal(registry.accept_ownership, provider, by=stranger) == "registry: not offered"


def test_transfer_ownership__by_whom_it_was_offered__is_refused(
    registry: Any, provider: int, owner: Any, new_owner: Any
) -> None:
    registry.transfer_ownership(provider, new_owner, {"from": owner})

    assert refusal(registry.transfer_ownership, provider, new_owner, by=new_owner) == "registry: not the owner"


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_transfer_ownership__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.transfer_ownership, provider, by, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN])
def test_transfer_ownership__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.transfer_ownership, number, owner, by=owner) == "registry: not the owner"

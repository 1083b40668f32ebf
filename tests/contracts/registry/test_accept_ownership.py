"""Taking an offered provider over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import NOBODY, UNKNOWN, profile_of, roots_of


@pytest.fixture
def offered(registry: Any, provider: int, owner: Any, new_owner: Any) -> int:
    registry.transfer_ownership(provider, new_owner, {"from": owner})
    return provider


def test_accept_ownership__offered__changes_the_owner_only(registry: Any, offered: int, new_owner: Any) -> None:
    before = profile_of(registry, offered)
    roots = roots_of(registry, offered)

    transaction = registry.accept_ownership(offered, {"from": new_owner})

    assert profile_of(registry, offered) == before | {"owner": new_owner, "pending_owner": NOBODY}
    assert roots_of(registry, offered) == roots
    assert events_of(transaction) == [("OwnershipTransferred", {"provider": offered, "new_owner": new_owner})]


def test_accept_ownership__accepted__hands_every_right_over(
    registry: Any, offered: int, owner: Any, new_owner: Any
) -> None:
    registry.accept_ownership(offered, {"from": new_owner})

    assert refusal(registry.set_operator, offered, owner, by=owner) == "registry: not the owner"
    registry.set_operator(offered, new_owner, {"from": new_owner})
    assert registry.operator_of(offered) == new_owner


def test_accept_ownership__twice__is_refused(registry: Any, offered: int, new_owner: Any) -> None:
    registry.accept_ownership(offered, {"from": new_owner})

    assert refusal(registry.accept_ownership, offered, by=new_owner) == "registry: not offered"


def test_accept_ownership__deregistered__stays_so(
    registry: Any, offered: int, owner: Any, operator: Any, new_owner: Any
) -> None:
    registry.deregister_provider(offered, {"from": owner})

    registry.accept_ownership(offered, {"from": new_owner})

    assert registry.bidder(offered) == (operator, 0, 10**18)


@pytest.mark.parametrize("caller", ["owner", "operator", "stranger"])
def test_accept_ownership__by_another__is_refused(
    registry: Any, offered: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.accept_ownership, offered, by=by) == "registry: not offered"


def test_accept_ownership__another_provider_than_offered__is_refused(
    registry: Any, offered: int, new_owner: Any
) -> None:
    assert refusal(registry.accept_ownership, 2, by=new_owner) == "registry: not offered"


@pytest.mark.parametrize("number", [0, UNKNOWN])
def test_accept_ownership__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.accept_ownership, number, by=owner) == "registry: not offered"

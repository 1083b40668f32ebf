"""Withdrawing a root certificate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import (
    CERTIFICATE,
    EMPTY_ROOT,
    NEXT_CERTIFICATE,
    NO_FINGERPRINT,
    UNKNOWN,
    fingerprint_of,
    roots_of,
)

FIRST = fingerprint_of(CERTIFICATE)
SECOND = fingerprint_of(NEXT_CERTIFICATE)


def test_remove_root__only_one__leaves_none(registry: Any, provider: int, owner: Any) -> None:
    transaction = registry.remove_root(provider, FIRST, {"from": owner})

    assert roots_of(registry, provider) == [EMPTY_ROOT, EMPTY_ROOT]
    assert events_of(transaction) == [("RootRemoved", {"provider": provider, "fingerprint": FIRST})]


@pytest.mark.parametrize(("removed", "kept"), [(FIRST, 1), (SECOND, 0)])
def test_remove_root__one_of_two__leaves_the_other(
    registry: Any, provider: int, owner: Any, removed: str, kept: int
) -> None:
    registry.add_root(provider, NEXT_CERTIFICATE, {"from": owner})
    expected = [EMPTY_ROOT, EMPTY_ROOT]
    expected[kept] = roots_of(registry, provider)[kept]

    registry.remove_root(provider, removed, {"from": owner})

    assert roots_of(registry, provider) == expected


def test_remove_root__before_it_counts__is_gone_as_well(registry: Any, provider: int, owner: Any) -> None:
    registry.add_root(provider, NEXT_CERTIFICATE, {"from": owner})

    registry.remove_root(provider, SECOND, {"from": owner})

    assert [fingerprint for fingerprint, _, _ in roots_of(registry, provider)] == [FIRST, NO_FINGERPRINT]


@pytest.mark.parametrize("fingerprint", [NO_FINGERPRINT, SECOND, "0x" + "ff" * 32, fingerprint_of(b"of the stranger")])
def test_remove_root__not_there__is_refused(registry: Any, provider: int, owner: Any, fingerprint: str) -> None:
    assert refusal(registry.remove_root, provider, fingerprint, by=owner) == "registry: no such root"


def test_remove_root__twice__is_refused(registry: Any, provider: int, owner: Any) -> None:
    registry.remove_root(provider, FIRST, {"from": owner})

    assert refusal(registry.remove_root, provider, FIRST, by=owner) == "registry: no such root"


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_remove_root__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.remove_root, provider, FIRST, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN])
def test_remove_root__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.remove_root, number, FIRST, by=owner) == "registry: not the owner"

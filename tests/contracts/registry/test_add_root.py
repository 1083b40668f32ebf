"""Announcing another root certificate beside the first."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import (
    CERTIFICATE,
    EMPTY_ROOT,
    MAX_WORD,
    NEXT_CERTIFICATE,
    ROOT_DELAY,
    THIRD_CERTIFICATE,
    UNKNOWN,
    Registration,
    fingerprint_of,
    roots_of,
)


def test_add_root__second__counts_after_the_delay_beside_the_first(registry: Any, provider: int, owner: Any) -> None:
    first, _ = roots_of(registry, provider)

    transaction = registry.add_root(provider, NEXT_CERTIFICATE, {"from": owner})

    block = transaction.block_number
    fingerprint = fingerprint_of(NEXT_CERTIFICATE)
    assert roots_of(registry, provider) == [first, (fingerprint, block, block + ROOT_DELAY)]
    assert events_of(transaction) == [
        (
            "RootAdded",
            {
                "provider": provider,
                "fingerprint": fingerprint,
                "active_block": block + ROOT_DELAY,
                "certificate": "0x" + NEXT_CERTIFICATE.hex(),
            },
        )
    ]


def test_add_root__first_slot_is_free__goes_there(registry: Any, provider: int, owner: Any) -> None:
    registry.add_root(provider, NEXT_CERTIFICATE, {"from": owner})
    registry.remove_root(provider, fingerprint_of(CERTIFICATE), {"from": owner})

    registry.add_root(provider, THIRD_CERTIFICATE, {"from": owner})

    fingerprints = [fingerprint for fingerprint, _, _ in roots_of(registry, provider)]
    assert fingerprints == [fingerprint_of(THIRD_CERTIFICATE), fingerprint_of(NEXT_CERTIFICATE)]


def test_add_root__after_all_were_removed__waits_all_the_same(registry: Any, provider: int, owner: Any) -> None:
    registry.remove_root(provider, fingerprint_of(CERTIFICATE), {"from": owner})

    transaction = registry.add_root(provider, CERTIFICATE, {"from": owner})

    block = transaction.block_number
    assert roots_of(registry, provider) == [(fingerprint_of(CERTIFICATE), block, block + ROOT_DELAY), EMPTY_ROOT]


def test_add_root__third__is_refused(registry: Any, provider: int, owner: Any) -> None:
    registry.add_root(provider, NEXT_CERTIFICATE, {"from": owner})

    assert refusal(registry.add_root, provider, THIRD_CERTIFICATE, by=owner) == "registry: two roots already"


def test_add_root__same_as_the_first__is_refused(registry: Any, provider: int, owner: Any) -> None:
    assert refusal(registry.add_root, provider, CERTIFICATE, by=owner) == "registry: root exists"


def test_add_root__same_as_the_second__is_refused(registry: Any, provider: int, owner: Any) -> None:
    registry.add_root(provider, NEXT_CERTIFICATE, {"from": owner})
    registry.remove_root(provider, fingerprint_of(CERTIFICATE), {"from": owner})

    assert refusal(registry.add_root, provider, NEXT_CERTIFICATE, by=owner) == "registry: root exists"


def test_add_root__certificate_of_another_provider__is_nobody_elses_business(
    registry: Any, provider: int, stranger: Any
) -> None:
    registry.add_root(2, CERTIFICATE, {"from": stranger})

    assert roots_of(registry, 2)[1][0] == roots_of(registry, provider)[0][0]


@pytest.mark.parametrize("size", [1, 2048])
def test_add_root__shortest_and_longest__are_taken(registry: Any, provider: int, owner: Any, size: int) -> None:
    registry.add_root(provider, b"c" * size, {"from": owner})

    assert roots_of(registry, provider)[1][0] == fingerprint_of(b"c" * size)


def test_add_root__empty__is_refused(registry: Any, provider: int, owner: Any) -> None:
    assert refusal(registry.add_root, provider, b"", by=owner) == "registry: no certificate"


def test_add_root__too_long__reverts(registry: Any, provider: int, owner: Any) -> None:
    assert refusal(registry.add_root, provider, b"c" * 2049, by=owner) == ""


@pytest.mark.parametrize("caller", ["operator", "stranger"])
def test_add_root__by_another__is_refused(
    registry: Any, provider: int, caller: str, request: pytest.FixtureRequest
) -> None:
    by = request.getfixturevalue(caller)

    assert refusal(registry.add_root, provider, NEXT_CERTIFICATE, by=by) == "registry: not the owner"


@pytest.mark.parametrize("number", [0, UNKNOWN, MAX_WORD])
def test_add_root__unknown_number__is_refused(registry: Any, provider: int, owner: Any, number: int) -> None:
    assert refusal(registry.add_root, number, NEXT_CERTIFICATE, by=owner) == "registry: not the owner"


@pytest.mark.parametrize("delay", [0, 1, 1_000_000])
def test_add_root__registry_with_another_delay__counts_after_that(accounts: Any, owner: Any, delay: int) -> None:
    registry = brownie.ProviderRegistry.deploy(delay, {"from": accounts[0]})
    registry.register_provider(*Registration(owner), {"from": owner})

    transaction = registry.add_root(1, NEXT_CERTIFICATE, {"from": owner})

    assert registry.root_delay_blocks() == delay
    assert roots_of(registry, 1)[1][2] == transaction.block_number + delay

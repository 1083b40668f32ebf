"""Registering: who becomes what, what is announced, and what is refused."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.events import events_of
from tests.contracts.market import refusal
from tests.contracts.registry.registration import (
    CERTIFICATE,
    EAST,
    EMPTY_ROOT,
    MAX_CAP,
    MAX_PROVIDER,
    MAX_WORD,
    NOBODY,
    Registration,
    fingerprint_of,
    profile_of,
    roots_of,
    slot_of,
)


def test_register_provider__first__writes_all_and_announces_all(empty_registry: Any, owner: Any, operator: Any) -> None:
    transaction = empty_registry.register_provider(*Registration(operator), {"from": owner})

    block = transaction.block_number
    assert transaction.return_value == 1
    assert empty_registry.provider_count() == 1
    assert profile_of(empty_registry, 1) == {
        "owner": owner,
        "operator": operator,
        "pending_owner": NOBODY,
        "region": 1,
        "collateral_cap": 10**18,
        "updated_block": block,
    }
    assert roots_of(empty_registry, 1) == [(fingerprint_of(CERTIFICATE), block, block), EMPTY_ROOT]
    assert events_of(transaction) == [
        (
            "ProviderRegistered",
            {"provider": 1, "owner": owner, "operator": operator, "region": 1, "collateral_cap": 10**18},
        ),
        (
            "ProviderUpdated",
            {"provider": 1, "region": 1, "endpoint": "https://west.example:8443", "attributes": '{"tier": 3}'},
        ),
        (
            "RootAdded",
            {
                "provider": 1,
                "fingerprint": fingerprint_of(CERTIFICATE),
                "active_block": block,
                "certificate": "0x" + CERTIFICATE.hex(),
            },
        ),
    ]


def test_register_provider__second_of_the_same_keys__gets_the_next_number(
    registry: Any, provider: int, owner: Any, operator: Any
) -> None:
    before = profile_of(registry, provider)

    registry.register_provider(*Registration(operator, region=EAST), {"from": owner})

    assert registry.provider_count() == 3
    assert registry.owner_of(3) == owner
    assert profile_of(registry, provider) == before


def test_register_provider__owner_is_its_own_operator__is_fine(empty_registry: Any, owner: Any) -> None:
    empty_registry.register_provider(*Registration(owner), {"from": owner})

    assert empty_registry.bidder(1) == (owner, 1, 10**18)


def test_register_provider__no_operator__is_refused(empty_registry: Any, owner: Any) -> None:
    assert refusal(empty_registry.register_provider, *Registration(NOBODY), by=owner) == "registry: no operator"


@pytest.mark.parametrize("cap", [0, 1, MAX_CAP])
def test_register_provider__cap_in_bounds__is_stored_exactly(
    empty_registry: Any, owner: Any, operator: Any, cap: int
) -> None:
    empty_registry.register_provider(*Registration(operator, collateral_cap=cap), {"from": owner})

    assert empty_registry.bidder(1) == (operator, 1, cap)


@pytest.mark.parametrize("cap", [MAX_CAP + 1, MAX_WORD])
def test_register_provider__cap_above_bound__is_refused(
    empty_registry: Any, owner: Any, operator: Any, cap: int
) -> None:
    registration = Registration(operator, collateral_cap=cap)

    assert refusal(empty_registry.register_provider, *registration, by=owner) == "registry: cap too high"


@pytest.mark.parametrize("region", [1, 2, 2**31])
def test_register_provider__one_region__is_stored(empty_registry: Any, owner: Any, operator: Any, region: int) -> None:
    empty_registry.register_provider(*Registration(operator, region=region), {"from": owner})

    assert empty_registry.bidder(1) == (operator, region, 10**18)


@pytest.mark.parametrize("region", [0, 3, 2**31 + 1, 2**32 - 1, 2**32, 2**255, MAX_WORD])
def test_register_provider__not_one_region__is_refused(
    empty_registry: Any, owner: Any, operator: Any, region: int
) -> None:
    assert (
        refusal(empty_registry.register_provider, *Registration(operator, region=region), by=owner)
        == "registry: bad region"
    )


def test_register_provider__no_endpoint__is_refused(empty_registry: Any, owner: Any, operator: Any) -> None:
    assert (
        refusal(empty_registry.register_provider, *Registration(operator, endpoint=""), by=owner)
        == "registry: no endpoint"
    )


def test_register_provider__no_certificate__is_refused(empty_registry: Any, owner: Any, operator: Any) -> None:
    registration = Registration(operator, certificate=b"")

    assert refusal(empty_registry.register_provider, *registration, by=owner) == "registry: no certificate"


def test_register_provider__longest_texts__are_announced_in_full(
    empty_registry: Any, owner: Any, operator: Any
) -> None:
    endpoint, attributes, certificate = "e" * 256, "a" * 1024, b"\xff" * 2048

    transaction = empty_registry.register_provider(operator, 1, 1, endpoint, attributes, certificate, {"from": owner})

    events = dict(events_of(transaction))
    assert (events["ProviderUpdated"]["endpoint"], events["ProviderUpdated"]["attributes"]) == (endpoint, attributes)
    assert events["RootAdded"]["certificate"] == "0x" + certificate.hex()
    assert roots_of(empty_registry, 1)[0][0] == fingerprint_of(certificate)


@pytest.mark.parametrize(
    "longer",
    [{"endpoint": "e" * 257}, {"attributes": "a" * 1025}, {"certificate": b"c" * 2049}],
    ids=lambda it: next(iter(it)),
)
def test_register_provider__text_too_long__reverts(
    empty_registry: Any, owner: Any, operator: Any, longer: dict[str, Any]
) -> None:
    assert refusal(empty_registry.register_provider, *Registration(operator, **longer), by=owner) == ""


def test_register_provider__empty_attributes__are_fine(empty_registry: Any, owner: Any, operator: Any) -> None:
    transaction = empty_registry.register_provider(*Registration(operator, attributes=""), {"from": owner})

    assert transaction.events["ProviderUpdated"]["attributes"] == ""


def test_register_provider__at_the_last_number__fills_the_registry(
    empty_registry: Any, owner: Any, operator: Any
) -> None:
    slot = slot_of("ProviderRegistry", "provider_count")
    word = f"0x{MAX_PROVIDER - 1:064x}"
    brownie.web3.provider.make_request("anvil_setStorageAt", [empty_registry.address, hex(slot), word])

    empty_registry.register_provider(*Registration(operator), {"from": owner})

    assert empty_registry.owner_of(MAX_PROVIDER) == owner
    assert refusal(empty_registry.register_provider, *Registration(operator), by=owner) == "registry: full"

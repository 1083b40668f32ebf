"""What the registry answers, and its one parameter."""

from __future__ import annotations

from typing import Any

import brownie
import pytest

from tests.contracts.creation import creation_refusal
from tests.contracts.registry.registration import (
    EMPTY_ROOT,
    MAX_WORD,
    NOBODY,
    ROOT_DELAY,
    UNKNOWN,
    profile_of,
    roots_of,
)


@pytest.mark.parametrize("number", [0, UNKNOWN, 2**32, MAX_WORD])
def test_views__unknown_number__answer_with_nothing(registry: Any, provider: int, number: int) -> None:
    assert registry.owner_of(number) == NOBODY
    assert registry.operator_of(number) == NOBODY
    assert registry.bidder(number) == (NOBODY, 0, 0)
    assert set(profile_of(registry, number).values()) == {NOBODY, 0}
    assert roots_of(registry, number) == [EMPTY_ROOT, EMPTY_ROOT]


def test_provider_count__none_registered__is_zero(empty_registry: Any) -> None:
    assert empty_registry.provider_count() == 0


def test_root_delay_blocks__as_deployed(registry: Any) -> None:
    assert registry.root_delay_blocks() == ROOT_DELAY


@pytest.mark.parametrize("delay", [1_000_001, MAX_WORD])
def test_constructor__delay_above_bound__is_refused(delay: int) -> None:
    assert creation_refusal(brownie.ProviderRegistry, delay) == "registry: delay too long"


@pytest.mark.parametrize("delay", [0, 1, 1_000_000])
def test_constructor__delay_in_bounds__is_taken(delay: int) -> None:
    assert creation_refusal(brownie.ProviderRegistry, delay) is None

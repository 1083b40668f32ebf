"""What the next pass looks at: what was told and what is due, everything when it may have missed something."""

from __future__ import annotations

import pytest

from moorage.types import OrderId
from provider_agent.core.attention import PERIOD_SECONDS, Attention, Look

A, B, C = (OrderId(bytes([number]) * 32) for number in range(3))
NOW = 1_000_000


@pytest.fixture
def attention() -> Attention:
    """One that hears, and has looked at everything."""
    attention = Attention()
    attention.hears(True)
    assert attention.take(0, NOW).is_everything
    return attention


def test_take__nothing_was_told__is_nothing(attention: Attention) -> None:
    look = attention.take(1, NOW + 1)

    assert (look, bool(look)) == (Look(), False)


def test_take__chain_and_engine_have_told__is_that_once(attention: Attention) -> None:
    attention.leases([A])
    attention.engine(B)

    assert attention.take(1, NOW) == Look(frozenset({A, B}), frozenset({B}))
    assert attention.take(2, NOW) == Look()


def test_take__due_at_a_block_or_second__is_that_until_another_is_set(attention: Attention) -> None:
    attention.at_block(A, 5)
    attention.at_second(B, NOW + 5)

    assert attention.take(4, NOW + 4) == Look()
    assert attention.take(5, NOW + 5) == attention.take(6, NOW + 6) == Look(frozenset({A, B}))
    attention.at_block(A, None)
    attention.at_second(B, NOW + 9)
    assert attention.take(7, NOW + 7) == Look()
    assert attention.take(8, NOW + 9) == Look(frozenset({B}))


def test_g12_put_back__pass_has_failed__is_looked_at_again_with_what_came_since(attention: Attention) -> None:
    attention.leases([A])
    attention.engine(B)
    look = attention.take(1, NOW)
    attention.leases([C])

    attention.put_back(look)

    assert attention.take(1, NOW) == Look(frozenset({A, B, C}), frozenset({B}))


def test_put_back__look_at_everything__is_one_again(attention: Attention) -> None:
    attention.everything()

    attention.put_back(attention.take(1, NOW))

    assert attention.take(1, NOW).is_everything
    assert not attention.take(1, NOW).is_everything


@pytest.mark.parametrize("seconds", [PERIOD_SECONDS, 10 * PERIOD_SECONDS, -1])
def test_g10_take__period_has_passed_or_the_clock_went_back__is_everything(attention: Attention, seconds: int) -> None:
    assert not attention.take(1, NOW + PERIOD_SECONDS - 1).is_everything

    assert attention.take(1, NOW + seconds).is_everything


def test_take__engine_does_not_tell__is_everything_each_time(attention: Attention) -> None:
    attention.hears(False)

    assert [attention.take(1, NOW).is_everything for _ in range(3)] == [True, True, True]

    attention.hears(True)  # what changed in between was told to nobody
    assert [attention.take(1, NOW).is_everything for _ in range(2)] == [True, False]

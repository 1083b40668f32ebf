"""Whether a period is long enough for the collateral on it: what stuffing costs, against known figures."""

from __future__ import annotations

import pytest

from provider_agent.core.stuffing import (
    MARGIN,
    Gas,
    cost_of_stuffing,
    is_long_enough,
    window_blocks,
)

ETHER = 10**18
LARGE = Gas(45_000_000, 10**9)
"""45 million gas a block at 1 gwei."""
CHEAP = Gas(60_000_000, 10**7)
"""60 million gas a block at 0.01 gwei."""


@pytest.mark.parametrize(
    ("gas", "blocks", "ether"),
    [
        (LARGE, 25, 6.5),
        (LARGE, 50, 130),
        (LARGE, 75, 2_470),
        (LARGE, 100, 46_900),
        (CHEAP, 50, 1.7),
        (CHEAP, 75, 33),
        (CHEAP, 100, 626),
    ],
)
def test_d01_cost_of_stuffing__known_figures__are_met(gas: Gas, blocks: int, ether: float) -> None:
    assert cost_of_stuffing(blocks, gas) / ETHER == pytest.approx(ether, rel=0.02)


@pytest.mark.parametrize(("gas", "blocks"), [(LARGE, 50), (LARGE, 75), (CHEAP, 50), (CHEAP, 100)])
def test_d01_period__twice_the_window__is_enough_for_a_tenth_of_its_cost_and_no_more(gas: Gas, blocks: int) -> None:
    prize = cost_of_stuffing(blocks, gas) // MARGIN

    assert window_blocks(2 * blocks) == blocks
    assert is_long_enough(2 * blocks, prize, gas)
    assert not is_long_enough(2 * blocks, prize + 1, gas)
    assert not is_long_enough(2 * blocks - 2, prize, gas)


@pytest.mark.parametrize(("period", "window"), [(4, 2), (5, 2), (100, 50), (101, 50)])
def test_d01_window__odd_periods__is_the_shorter_half(period: int, window: int) -> None:
    assert window_blocks(period) == window


def test_d01_cost_of_stuffing__longest_periods_and_no_base_fee__is_still_a_number() -> None:
    assert cost_of_stuffing(0, LARGE) == 0
    assert cost_of_stuffing(1_000_000, Gas(30_000_000, 0)) == cost_of_stuffing(1_000, Gas(30_000_000, 0)) > 0

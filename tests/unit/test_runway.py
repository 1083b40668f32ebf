"""How long a key's coin lasts, from how its balance has been falling."""

from __future__ import annotations

import math

import pytest

from moorage.runway import Runway

HOUR = 3_600
START = 1_000_000.0


def watched(*observations: tuple[float, int]) -> Runway:
    """Return a runway that has seen balances, each at some hours after the start."""
    runway = Runway()
    for hours, balance in observations:
        runway.observe(balance, START + hours * HOUR)
    return runway


def hours(runway: Runway, after: float) -> float:
    return runway.hours(START + after * HOUR)


def test_d03_runway__nothing_seen__is_not_known() -> None:
    assert math.isnan(hours(Runway(), 0))


def test_d03_runway__nothing_spent__lasts_for_ever() -> None:
    assert hours(watched((0, 500), (1, 500)), 2) == math.inf


@pytest.mark.parametrize(
    ("observations", "after", "expected"),
    [
        ([(0, 1_000), (2, 800)], 2, 8.0),  # 100 an hour, 800 left
        ([(0, 1_000), (2, 800), (4, 800)], 4, 16.0),
        ([(0, 1_000), (0.1, 900)], 0.1, 9.0),  # a first hour that is not over counts as a whole one
        ([(0, 100), (1, 50), (2, 1_000), (3, 950)], 3, 28.5),  # what is paid in was not earned back
        ([(0, 100), (1, 0)], 1, 0.0),
    ],
)
def test_d03_runway__balance_that_falls__is_divided_by_the_rate(
    observations: list[tuple[float, int]], after: float, expected: float
) -> None:
    assert hours(watched(*observations), after) == pytest.approx(expected)


def test_d03_runway__spent_long_ago__counts_no_more() -> None:
    runway = watched((0, 10_000), (1, 1_000))

    assert hours(runway, 12) == pytest.approx(1_000 * 12 / 9_000)
    assert hours(runway, 40) == math.inf


def test_d03_runway__watched_for_weeks__keeps_a_day_of_numbers() -> None:
    runway = watched(*((hour, 10**9 - 1_000 * hour) for hour in range(24 * 30)))

    assert len(runway._spent) <= 24
    assert hours(runway, 24 * 30 - 1) == pytest.approx((10**9 - 1_000 * 719) / 1_000, rel=0.05)

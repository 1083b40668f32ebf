"""What the tests of faults share: one chain for all runs of the scenario, and the run without faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.convergence import Stage, open_stage
from tests.chaos.outcome import Outcome


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with open_stage() as opened:
        yield opened


@pytest.fixture(scope="session")
def passed_points() -> set[str]:
    """The crash points that the run without faults passes, once it has been."""
    return set()


@pytest.fixture(scope="session")
def usual(stage: Stage, passed_points: set[str]) -> Outcome:
    """The end of the run without faults."""
    return stage.play(hook=lambda _, point: passed_points.add(point))

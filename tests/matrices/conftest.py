"""The markets, deployed once, and one in which every transaction has something that it may be sent about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.matrices import registry
from tests.matrices.authority import set_up
from tests.matrices.cast import DEAR, DEAR_AND_QUICK, LARGE, ORDINARY, VACANT
from tests.matrices.pair import Pair
from tests.stateful.evm import market


@pytest.fixture(scope="session", autouse=True)
def markets() -> None:
    """Deploy before the first test: what is deployed within a test or for a file of them ends with it."""
    for setting in (ORDINARY, VACANT, LARGE, DEAR, DEAR_AND_QUICK):
        market(setting)
    registry.deployed()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Model and contract, side by side; each test takes back what it does."""
    pair = Pair(ORDINARY)
    with pair.branch():
        set_up(pair)
        yield pair

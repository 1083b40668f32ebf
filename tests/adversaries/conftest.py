"""A fresh run on the one market that all adversaries play on."""

from __future__ import annotations

import boa  # type: ignore[import-untyped]
import pytest

from tests.adversaries.cast import SETTING
from tests.adversaries.stage import Stage
from tests.stateful.evm import Market


@pytest.fixture(scope="session")
def market() -> Market:
    """Deploy once: what a test does ends with it."""
    boa.env.enable_fast_mode()
    return Market(SETTING)


@pytest.fixture
def stage(market: Market) -> Stage:
    return Stage(market)

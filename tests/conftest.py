"""What every test outside of tests/contracts gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def default_logs() -> Iterator[None]:
    """Undo what a program that ran inside a test has set: its stream is closed when the next test logs."""
    yield
    structlog.reset_defaults()

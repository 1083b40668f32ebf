"""What a test does to the chain ends with it."""

from __future__ import annotations

from collections.abc import Iterator

import boa  # type: ignore[import-untyped]
import pytest


@pytest.fixture(autouse=True)
def chain() -> Iterator[None]:
    boa.env.enable_fast_mode()
    with boa.env.anchor():
        yield

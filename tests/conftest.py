"""What every test outside of tests/contracts gets."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import structlog
from hypothesis import settings

from tests.bytecode import LEVEL, any_code_size
from tests.variables import faults

# A shell lets what it runs in the background ignore Ctrl-C, and children inherit that; tests interrupt programs.
signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest-xdist tells its workers how wide the terminal is; programs heed that, and tests are to see what a pipe gets.
os.environ.pop("COLUMNS", None)

# The same examples for everybody at each change; other ones, and many more, in the long run.
settings.register_profile("short", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def pytest_configure() -> None:
    """Refuse what nobody can run with, before the first test."""
    found = list(faults(os.environ))
    if found:
        raise pytest.UsageError("; ".join(found))


@pytest.fixture(scope="session", autouse=True)
def code_size() -> Iterator[None]:
    """Take contracts that no optimiser has made small, when such are asked for."""
    with any_code_size() if LEVEL == "none" else nullcontext():
        yield


@pytest.fixture(autouse=True)
def default_logs() -> Iterator[None]:
    """Undo what a program that ran inside a test has set: its stream is closed when the next test logs."""
    yield
    structlog.reset_defaults()

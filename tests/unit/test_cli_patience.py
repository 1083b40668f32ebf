"""What is waited for: on a terminal, if it takes long, and gone afterwards."""

from __future__ import annotations

import asyncio
import io
import sys

import pytest

from cli import patience
from cli.patience import GONE, waiting_for


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUIET_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")


async def written(seconds: float, error_output: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", error_output)
    with waiting_for("the node at http://127.0.0.1:8545"):
        await asyncio.sleep(seconds)
    return error_output.getvalue()


async def test_waiting__long_on_a_terminal__is_one_line_that_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await written(1, Terminal(), monkeypatch)

    assert shown == f"waiting for the node at http:{GONE}"
    assert len(shown.removesuffix(GONE)) < 30


async def test_waiting__short__is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUIET_SECONDS", 60)

    assert await written(0, Terminal(), monkeypatch) == ""


@pytest.mark.parametrize(("is_terminal", "term"), [(False, "xterm"), (True, "dumb")])
async def test_waiting__where_nothing_can_be_taken_back__is_not_told(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str
) -> None:
    monkeypatch.setenv("TERM", term)

    assert await written(0.2, Terminal() if is_terminal else io.StringIO(), monkeypatch) == ""

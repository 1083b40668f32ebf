"""Questions at a terminal, a real one: what was typed before a question is no answer to it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

ASKING = "from cli.environment import Environment; here = Environment.of_process(); "
CONFIRM = ASKING + "here.confirm('Pay?', is_agreed=False); print('paid')"
PASSWORD = ASKING + "print(here.ask_password('Password'))"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ends = pty.openpty()
    yield ends
    for each in ends:
        os.close(each)


def _asked(terminal: tuple[int, int], program: str, before: bytes, after: bytes) -> str:
    """Return what a program says that is told something before its question, and something after it."""
    keyboard, screen = terminal
    os.write(keyboard, before)
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=screen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stderr is not None
        while process.stderr.read(1) not in (b":", b""):
            pass
        os.write(keyboard, after)
        return process.communicate(timeout=120)[0].decode()


def test_question__agreed_to_before_it_was_asked__asks_all_the_same(terminal: tuple[int, int]) -> None:
    assert _asked(terminal, CONFIRM, b"y\ny\ny", b"n\n") == ""


def test_question__agreed_to_after_it_was_asked__goes_on(terminal: tuple[int, int]) -> None:
    assert _asked(terminal, CONFIRM, b"n\n", b"y\n") == "paid\n"


def test_password__typed_before_it_was_asked_for__is_only_what_is_typed_then(terminal: tuple[int, int]) -> None:
    assert _asked(terminal, PASSWORD, b"other\n", b"secret\n") == "secret\n"

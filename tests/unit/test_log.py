"""What the daemons print: JSON or lines, and never a local variable."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog

from moorage import log

CANARY = "canary-5e0f"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """Log a fault while a secret is in a local variable."""
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure()
    logger = structlog.get_logger("a test")
    key = "".join(reversed("f0e5-yranac"))  # the traceback shows this line too
    try:
        raise RuntimeError(f"{len(key)} characters")
    except RuntimeError:
        logger.exception("cycle failed", lease="ab" * 32)
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_g26_configure__fault_with_a_secret_in_a_variable__prints_the_traceback_without_it(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(stream, monkeypatch)

    assert "RuntimeError" in text
    assert "11 characters" in text
    assert "test_log.py" in text
    assert CANARY not in text


def test_configure__no_terminal__is_one_line_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = printed(io.StringIO(), monkeypatch).splitlines()

    document = json.loads(line)
    assert (document["event"], document["level"], document["lease"]) == ("cycle failed", "error", "ab" * 32)
    assert document["timestamp"].endswith("Z")

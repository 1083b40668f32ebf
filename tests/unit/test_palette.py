"""Colours on terminals: readable on dark and light ones, there only where somebody looks, and not against NO_COLOR."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.color import Color
from rich.style import Style

from moorage.palette import BAD, CAUTION, GOOD

ROOT = Path(__file__).resolve().parent.parent.parent
LEAST_CONTRAST = 3.5
"""Of one colour that has to do on black and on white; the most that is possible for both is about 4.6."""
COLOUR = b"\x1b[38;5;"


def luminance(style: str) -> float:
    """As WCAG 2.2 defines it."""
    color = Style.parse(style).color or Color.default()
    channels = [value / 255 for value in color.get_truecolor()]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("style", [GOOD, CAUTION, BAD])
def test_palette__each_colour__is_readable_on_black_and_on_white(style):
    light = luminance(style)

    assert min((light + 0.05) / 0.05, 1.05 / (light + 0.05)) >= LEAST_CONTRAST


def on_a_terminal(home: Path, **variables: str) -> bytes:
    """Return what `moorage doctor` writes where nothing is, on a terminal."""
    ours, theirs = pty.openpty()
    base = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "COLUMNS": "80"}
    command = [sys.executable, "-m", "cli.main", "doctor", "--rpc", "http://127.0.0.1:1"]
    with subprocess.Popen(command, cwd=ROOT, env={**base, **variables}, stdout=theirs, stdin=theirs) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
        process.wait(timeout=60)
    os.close(ours)
    return written


def test_doctor__on_a_terminal__has_colours_unless_somebody_wants_none(tmp_path):
    coloured, plain = on_a_terminal(tmp_path), on_a_terminal(tmp_path, NO_COLOR="1")

    assert COLOUR in coloured and b"failure" in coloured
    assert COLOUR not in plain and b"\x1b[3" not in plain and b"failure" in plain


def test_doctor__not_on_a_terminal__has_none(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "cli.main", "doctor", "--rpc", "http://127.0.0.1:1"]

    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).stdout

    assert b"\x1b" not in printed and b"failure" in printed

"""A demo as a user runs it, and what it has to tell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bytecode import ROOT


@contextmanager
def playing(module: str, folder: Path, then: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start a demo whose files are in a folder; it is killed in the end if it still runs.

    Args:
        then: what its tenant runs before the end.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "KEEP": "", "THEN": then},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_until(demo: subprocess.Popen[str], words: str) -> None:
    """Read what a demo tells up to a line with these words, or to its end."""
    assert demo.stdout is not None
    for line in demo.stdout:
        if words in line:
            return


def check_story(output: str, lines: Iterable[str]) -> None:
    """See that a demo has told these lines, regular expressions, in their order."""
    at = 0
    for line in lines:
        found = re.compile(line).search(output, at)
        assert found, f"{line} is missing after {output[:at][-300:]}\n\n{output}"
        at = found.end()

"""docs/threats.md has a row for each number in the name of a test, and a test for each of its rows."""

from __future__ import annotations

import re

from tests.bytecode import ROOT

NUMBERED = re.compile(r"^\s*(?:async )?def test_([a-k][0-9]{2})_", re.MULTILINE)
ROW = re.compile(r"^\| ([A-K][0-9]{2}) \|", re.MULTILINE)


def test_threats__rows_and_tests__are_the_same_numbers() -> None:
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    tested = {number.upper() for source in sources for number in NUMBERED.findall(source)}

    rows = ROW.findall((ROOT / "docs" / "threats.md").read_text())

    assert len(tested) > 30
    assert rows == sorted(tested)

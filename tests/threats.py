"""Prints the rows of docs/threats.md with their tests: `python -m tests.threats`; fails when one is without the other.

A test answers the rows whose numbers its name begins with: `test_e12_e13_...` answers E12 and E13. Other numbers there,
such as E12 or e9, are misspelt.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "threats.md"
TESTS = ROOT / "tests"

# Sections of which no row may be left out, and their last rows.
COMPLETE = {"A": 19, "B": 26, "C": 23, "E": 14, "F": 19, "H": 34, "J": 12}

ROW = re.compile(r"^\| (?P<number>[A-K][0-9]{2}) \| (?P<threat>.+?) \| (?P<answer>.+) \|$", re.MULTILINE)
UNTESTED = re.compile(r"^\| (?P<number>[A-K][0-9]{2}) \| (?P<reason>[^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"^\s*(?:async )?def (?P<name>test_(?P<numbers>(?:[A-Za-z][0-9]+_)+)\w*)", re.MULTILINE)
NUMBER = re.compile(r"[a-k][0-9]{2}")


@dataclass(frozen=True, slots=True)
class Rows:
    """What the document says."""

    threats: dict[str, str]
    reasons: dict[str, str]
    """Why a row has no test."""
    repeated: tuple[str, ...] = ()
    """The numbers of which a table has two rows."""


def main() -> int:
    """Print every row with its tests, and what is wrong; the exit code says whether anything is."""
    try:
        rows = read_rows(DOCUMENT)
    except OSError as error:
        print(f"{DOCUMENT.parent.name}/{DOCUMENT.name}: {error.strerror}: the rows are in there, put it back")
        return 1
    tests = read_tests(TESTS)
    for number, threat in rows.threats.items():
        print(f"{number}  {threat}")
        if number in rows.reasons:
            print(f"     no test: {rows.reasons[number]}")
        for test in tests.get(number, ()):
            print(f"     {test}")
    orphans = list(find_orphans(rows, tests))
    tested = len(rows.threats.keys() & tests.keys())
    print(*orphans, f"{len(rows.threats)} rows, {tested} with tests, {len(orphans)} faults", sep="\n")
    return 1 if orphans else 0


def read_rows(document: Path) -> Rows:
    """Read the two kinds of tables: number, threat, answer; and number, reason."""
    text = document.read_text(encoding="utf-8")
    threats = [(match["number"], match["threat"]) for match in ROW.finditer(text)]
    reasons = [(match["number"], match["reason"]) for match in UNTESTED.finditer(text)]
    repeated = (
        number
        for table in (threats, reasons)
        for number, times in Counter(number for number, _ in table).items()
        if times > 1
    )
    return Rows(dict(threats), dict(reasons), tuple(repeated))


def read_tests(folder: Path) -> dict[str, list[str]]:
    """Return the tests below a folder by the rows that their names begin with; a misspelt number is left as it is."""
    tests = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for match in TEST.finditer(path.read_text(encoding="utf-8")):
            for number in match["numbers"].strip("_").split("_"):
                row = number.upper() if NUMBER.fullmatch(number) else f"test_{number}_"
                tests[row].append(f"{path.relative_to(folder.parent).as_posix()}::{match['name']}")
    return dict(tests)


def find_orphans(rows: Rows, tests: dict[str, list[str]]) -> Iterator[str]:
    """Yield a line for each row without a test or a reason, and for each test or reason without a row."""
    for number in rows.repeated:
        yield f"{number}: {DOCUMENT.name} has two rows of this number"
    for section, last in COMPLETE.items():
        for number in (f"{section}{index:02}" for index in range(1, last + 1)):
            if number not in rows.threats:
                yield f"{number}: not in {DOCUMENT.name}"
    for number in rows.threats:
        if number not in tests and number not in rows.reasons:
            yield f"{number}: no test has this number, and {DOCUMENT.name} does not say why"
        if number in tests and number in rows.reasons:
            yield f"{number}: there is a test, and {DOCUMENT.name} says why there is none"
    for number in sorted(rows.reasons.keys() - rows.threats.keys()):
        yield f"{number}: {DOCUMENT.name} says why there is no test, and has no such row"
    for number in sorted(tests.keys() - rows.threats.keys()):
        misspelt = "misspelt: numbers are a small letter from a to k and two digits"
        fault = misspelt if number.startswith("test_") else f"{DOCUMENT.name}: has no such row"
        yield f"{number}: {fault}: {', '.join(tests[number])}"


if __name__ == "__main__":
    sys.exit(main())

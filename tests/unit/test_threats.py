"""The list of threats and their tests: what is counted as a fault, and what the project's own document says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import threats
from tests.threats import COMPLETE, DOCUMENT, TESTS, Rows, find_orphans, main, read_rows, read_tests

TABLE = """\
| Number | What could happen | What stands against it |
| --- | --- | --- |
| A01 | too little | it is counted |
| E12 | other code | `a \\| b` |

Rows that have no test:

| Number | Why |
| --- | --- |
| E12 | nobody can. |
"""


@pytest.fixture(autouse=True)
def _no_complete_sections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests of the faults have the rows that they need and no others."""
    if "document" not in request.node.name:
        monkeypatch.setattr(threats, "COMPLETE", {})


def write_tests(folder: Path, *names: str) -> dict[str, list[str]]:
    path = folder / "tests" / "unit" / "test_things.py"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"async def {name}() -> None:\n    pass\n\n\ndef helper(): ...\n" for name in names))
    return read_tests(folder / "tests")


def test_document__its_rows__are_complete_sorted_and_its_reasons_are_about_them() -> None:
    rows = read_rows(DOCUMENT)

    expected = {f"{section}{number:02}" for section, last in COMPLETE.items() for number in range(1, last + 1)}
    assert expected <= rows.threats.keys()
    assert list(rows.threats) == sorted(rows.threats)
    assert rows.reasons.keys() <= rows.threats.keys()
    assert len(DOCUMENT.read_text().split("\n| A01 |")) == 2


def test_document__numbers_of_the_tests__all_are_rows() -> None:
    tests = read_tests(TESTS)

    assert len(tests) > 80
    assert tests.keys() <= read_rows(DOCUMENT).threats.keys()


def test_read_rows__two_kinds_of_tables__are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "threats.md").write_text(TABLE)

    rows = read_rows(tmp_path / "threats.md")

    assert rows == Rows({"A01": "too little", "E12": "other code"}, {"E12": "nobody can."})


def test_read_tests__several_numbers__count_for_each(tmp_path: Path) -> None:
    found = write_tests(tmp_path, "test_e12_e13_market__other__is_refused", "test_market__good__is_taken")

    name = "tests/unit/test_things.py::test_e12_e13_market__other__is_refused"
    assert found == {"E12": [name], "E13": [name]}


@pytest.mark.parametrize("repeated", ["| A01 | other | it is counted |", "| E12 | nobody will. |"])
def test_read_rows__two_of_one_number__are_noticed(tmp_path: Path, repeated: str) -> None:
    (tmp_path / "threats.md").write_text(f"{TABLE}{repeated}\n")

    assert read_rows(tmp_path / "threats.md").repeated == (repeated[2:5],)


@pytest.mark.parametrize("number", ["K04", "k4", "k004", "z04"])
def test_read_tests__misspelt_number__is_no_row(tmp_path: Path, number: str) -> None:
    name = f"test_a01_{number}_market__other__is_refused"

    found = write_tests(tmp_path, name)

    assert found.keys() == {"A01", f"test_{number}_"}


def test_find_orphans__row_with_a_test_or_a_reason__is_none() -> None:
    rows = Rows({"A01": "too little", "E12": "other code"}, {"E12": "nobody can."})

    assert list(find_orphans(rows, {"A01": ["a test"]})) == []


@pytest.mark.parametrize(
    ("rows", "tests", "fault"),
    [
        (Rows({"A01": "x"}, {}), {}, "A01: no test has this number, and threats.md does not say why"),
        (
            Rows({"A01": "x"}, {"A01": "y"}),
            {"A01": ["t"]},
            "A01: there is a test, and threats.md says why there is none",
        ),
        (Rows({}, {"A01": "y"}), {}, "A01: threats.md says why there is no test, and has no such row"),
        (Rows({}, {}), {"A01": ["t", "u"]}, "A01: threats.md: has no such row: t, u"),
        (
            Rows({}, {}),
            {"test_K04_": ["t"]},
            "test_K04_: misspelt: numbers are a small letter from a to k and two digits: t",
        ),
        (Rows({"A01": "x"}, {"A01": "y"}, ("A01",)), {}, "A01: threats.md has two rows of this number"),
    ],
)
def test_find_orphans__one_without_the_other__is_a_fault(rows: Rows, tests: dict[str, list[str]], fault: str) -> None:
    assert list(find_orphans(rows, tests)) == [fault]


def test_find_orphans__row_of_a_complete_section_is_missing__is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threats, "COMPLETE", {"B": 2})

    assert list(find_orphans(Rows({"B01": "x"}, {"B01": "y"}), {})) == ["B02: not in threats.md"]


@pytest.mark.parametrize(("names", "status"), [(["test_a01_deposit__of_less__is_refused"], 0), (["test_deposit"], 1)])
def test_main__rows_and_tests__are_printed_and_counted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    status: int,
) -> None:
    (tmp_path / "threats.md").write_text(TABLE)
    write_tests(tmp_path, *names)
    monkeypatch.setattr(threats, "DOCUMENT", tmp_path / "threats.md")
    monkeypatch.setattr(threats, "TESTS", tmp_path / "tests")

    assert main() == status
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "A01  too little"
    assert printed[-1] == f"2 rows, {1 - status} with tests, {status} faults"
    assert "     no test: nobody can." in printed


def test_main__no_document__is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(threats, "DOCUMENT", tmp_path / "docs" / "threats.md")

    assert main() == 1
    said = "docs/threats.md: No such file or directory: the rows are in there, put it back\n"
    assert capsys.readouterr().out == said

"""The committed gas report: which one is refused before anything is measured, and what counts as a difference."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import gas, gas_contracts, gas_report
from tests.benchmarks.gas_limits import Cost, Report
from tests.benchmarks.gas_report import UnusableReport, differences, read_report, write_report

CLAIM = Cost(gas=37_000, floor=36_000, warm=30_000, new_slots=1)
VALUES = {**asdict(CLAIM), "ratio": CLAIM.ratio}
STALE = "in reports/gas.json: not what was measured: run make gas and commit the file"
RISEN = "in reports/gas.json: risen by more than 1 %: make it cheaper, or run make gas and commit the file"


@pytest.fixture
def committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the report is taken to be."""
    path = tmp_path / "gas.json"
    monkeypatch.setattr(gas_report, "REPORT", path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gas", *arguments])
    return gas.main()


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, []),
        ({"gas": 37_381}, [f"claim: 37,381 gas, 37,000 {RISEN}"]),
        ({"gas": 37_370}, [f"claim: 37,370 gas, 37,000 {STALE}"]),
        ({"gas": 36_999}, [f"claim: 36,999 gas, 37,000 {STALE}"]),
        ({"floor": 36_001}, [f"claim: 36,001 floor, 36,000 {STALE}"]),
        ({"warm": 1, "new_slots": 2}, [f"claim: 1 warm and 2 new words, 30,000 and 1 {STALE}"]),
    ],
)
def test_differences__any_figure_is_another__is_named_with_its_rule(changed: dict[str, int], found: list[str]) -> None:
    assert differences({"claim": replace(CLAIM, **changed)}, {"claim": CLAIM}) == found


def test_differences__other_operations__are_named() -> None:
    assert differences({"fund": CLAIM}, {"claim": CLAIM}) == [
        "claim: only in reports/gas.json: run make gas and commit the file",
        "fund: not in reports/gas.json: run make gas and commit the file",
    ]


def test_read_report__what_was_written__has_the_same_costs(committed: Path) -> None:
    write_report({"claim": CLAIM})

    assert read_report() == {"claim": CLAIM}
    assert json.loads(committed.read_text()) == {"claim": VALUES}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "no such file or directory"),
        ("", "it is empty"),
        ("gas", "no JSON, line 1: Expecting value"),
        ("[]", "no object of operations and their costs"),
        ("{}", "no object of operations and their costs"),
        ('{"claim": 1}', "claim is no object of figures"),
        (json.dumps({"claim": {**VALUES, "gas": "1"}}), "claim has no whole number as gas"),
        (json.dumps({"claim": {**VALUES, "floor": 0}}), "claim has no floor"),
        (json.dumps({"claim": asdict(CLAIM)}), "claim has other keys or another ratio than its figures give"),
    ],
)
def test_check__broken_report__is_one_line_before_anything_is_compiled(
    committed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    fault: str,
) -> None:
    monkeypatch.setattr(gas, "compile_contract", None)
    if text is not None:
        committed.write_text(text)

    assert run(monkeypatch, "--check") == 1

    assert capsys.readouterr().err == f"FAILED: reports/gas.json: {fault}: run make gas\n"


@pytest.mark.parametrize("missing", ["gas", "floor", "warm", "new_slots"])
def test_read_report__a_missing_figure__is_named(committed: Path, missing: str) -> None:
    committed.write_text(json.dumps({"claim": {name: value for name, value in VALUES.items() if name != missing}}))

    with pytest.raises(UnusableReport, match=f"claim has no whole number as {missing}: run make gas"):
        read_report()


@pytest.mark.parametrize(("gas_now", "status"), [(37_000, 0), (36_999, 1)])
def test_check__measured__says_how_many_figures_were_compared_or_which_differ(
    committed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gas_now: int, status: int
) -> None:
    write_report({"claim": CLAIM})
    measured = Report({"claim": replace(CLAIM, gas=gas_now)}, {})
    harmless: dict[str, Any] = {"CONTRACTS": (), "measure": lambda *_: measured, "failures": lambda *_: []}
    for name, value in harmless.items():
        monkeypatch.setattr(gas, name, value)

    assert run(monkeypatch, "--check") == status

    printed = capsys.readouterr()
    said = "4 figures compared with reports/gas.json, none differs"
    assert (printed.out.splitlines()[-1] == said) is (status == 0)
    assert printed.err == ("" if status == 0 else f"FAILED: claim: 36,999 gas, 37,000 {STALE}\n")


def test_port__beyond_the_last_or_in_use__is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gas, "compile_contract", None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])

        assert [run(monkeypatch, "--port", port) for port in ("99999", taken)] == [1, 1]

    advice = "give another one with --port, or none for any that is free"
    assert capsys.readouterr().err.splitlines() == [
        f"FAILED: port 99999: ports are 1 to 65535: {advice}",
        f"FAILED: port {taken}: Address already in use: {advice}",
    ]


def test_compile__a_contract_with_a_fault__is_what_the_compiler_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "Exchange.vy").write_text("# pragma version 0.4.3\nnonsense: uint257\n")
    monkeypatch.setattr(gas_contracts, "ROOT", tmp_path)
    monkeypatch.setattr(gas, "CONTRACTS", ("Exchange",))

    assert run(monkeypatch) == 1

    said = capsys.readouterr().err
    assert said.startswith("FAILED: contracts/Exchange.vy does not compile:\n")
    assert "'uint257'" in said and "line 2" in said and "Traceback" not in said

"""What the tests themselves are told by the environment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.bytecode import ROOT
from tests.variables import faults, stateful_seed


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"VYPER_OPTIMIZE": "", "STATEFUL_SEED": ""},
        {"VYPER_OPTIMIZE": "codesize", "STATEFUL_SEED": "0"},
        {"STATEFUL_SEED": "4294967296"},
    ],
)
def test_faults__good_or_empty__are_none(variables: dict[str, str]) -> None:
    assert list(faults(variables)) == []


@pytest.mark.parametrize(("text", "seed"), [("", None), ("0", 0), ("17", 17)])
def test_stateful_seed__empty__is_none_and_nought_is_a_seed(text: str, seed: int | None) -> None:
    assert stateful_seed({"STATEFUL_SEED": text}) == seed


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("STATEFUL_SEED", "abc", "no whole number; give the one that the failure printed"),
        ("VYPER_OPTIMIZE", "fast", "no level of the optimiser; there are none, gas, codesize"),
    ],
)
def test_run__variable_of_no_use__is_one_line_before_the_first_test(name: str, value: str, said: str) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "tests/unit/test_units.py"]
    variables = {**os.environ, name: value}

    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout) == (pytest.ExitCode.USAGE_ERROR, "")
    assert ended.stderr.strip() == f"ERROR: {name}={value}: {said}"


def test_run__empty_level__is_the_one_that_is_shipped() -> None:
    code = "from tests import bytecode; print(bytecode.LEVEL == bytecode.SHIPPED_LEVEL)"
    variables = {**os.environ, "VYPER_OPTIMIZE": ""}

    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True)

    assert ended.stdout == "True\n"

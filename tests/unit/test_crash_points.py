"""Crash points are declared in one place, used somewhere, and kill or raise as asked."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from moorage.crash import CRASH_POINTS, Crashed, crash_hook, crash_point
from tests.bytecode import ROOT

PACKAGES = ("moorage", "facilitator_bot", "provider_agent", "cli")


def trees() -> Iterator[ast.Module]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"), str(path))


CLASSES = {node.name for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
DECLARED = sorted(CRASH_POINTS)


@cache
def used_points() -> tuple[set[str], set[str]]:
    """Return the names that are passed, and the beginnings of those that end with the name of a class."""
    names: set[str] = set()
    beginnings: set[str] = set()
    for tree in trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point"):
                continue
            match node.args:
                case [ast.Constant(value=str(name))]:
                    names.add(name)
                case [ast.JoinedStr(values=[ast.Constant(value=str(beginning)), ast.FormattedValue(value=written)])]:
                    assert ast.unparse(written) == "type(intent).__name__"
                    beginnings.add(beginning)
                case _:
                    raise AssertionError(f"line {node.lineno}: a name that nobody can look for: {ast.unparse(node)}")
    return names, beginnings


def test_crash_points__used_in_the_code__are_declared() -> None:
    names, beginnings = used_points()

    assert names <= CRASH_POINTS.keys()
    assert all(any(point.startswith(beginning) for point in CRASH_POINTS) for beginning in beginnings)


@pytest.mark.parametrize("point", DECLARED)
def test_crash_points__declared__are_used(point: str) -> None:
    names, beginnings = used_points()

    made = any(point.startswith(beginning) and point.removeprefix(beginning) in CLASSES for beginning in beginnings)
    assert point in names or made


def test_crash_point__hook__is_told_and_may_crash() -> None:
    passed: list[str] = []

    def hook(name: str) -> None:
        passed.append(name)
        if name == "after-workloads":
            raise Crashed(name)

    with crash_hook(hook):
        crash_point("before-workloads")
        with pytest.raises(Crashed):
            crash_point("after-workloads")
    crash_point("before-workloads")

    assert passed == ["before-workloads", "after-workloads"]


def test_crashed__code_that_goes_on_after_any_exception__does_not_catch_it() -> None:
    assert not issubclass(Crashed, Exception)


@pytest.mark.parametrize(("wanted", "code"), [("before-workloads", -signal.SIGKILL), ("after-workloads", 0), ("", 0)])
def test_crash_point__environment_variable__kills_the_process_there(wanted: str, code: int) -> None:
    program = "from moorage.crash import crash_point; crash_point('before-workloads')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MOORAGE_CRASH_AT": wanted}

    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == code

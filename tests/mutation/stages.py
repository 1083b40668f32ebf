"""What a mutant has to get through, the quickest first; the first test that fails has killed it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.evm import market
from tests.stateful.exchange_machine import ExchangeMachine, FullBooks

WALKS = ("tests/stateful/test_walks.py", "tests/stateful/test_rare_walks.py")
FOLDERS = ("tests/tokens", "tests/matrices", "tests/adversaries")
"""Tests in this process, in the order in which they are tried; a folder that is not there is passed over."""
WALKING = "walks"
QUICK = (WALKING,)
"""The stages that a mutant has to get through in any case."""
NOT_TORN_DOWN = "previous item was not torn down"
MACHINES: dict[str, type[ExchangeMachine]] = {"any": ExchangeMachine, "full books": FullBooks}
STEPS = {"any": 50, "full books": 100}
RUNS_OF_A_SEED = 5


@dataclass(frozen=True)
class Budget:
    """How many runs of the state machine a mutant has to survive."""

    first_seeds: int = 2  # before the folders
    seeds: int = 16
    full_books: int = 3


@dataclass(frozen=True)
class Result:
    """Of a stage: the test that has failed and how, or nothing."""

    test: str = ""
    reason: str = ""


class Stages:
    """All tests, collected once. A stage has a process of its own, so that none finds what another has deployed."""

    def __init__(self, items: Sequence[pytest.Item], budget: Budget) -> None:
        self._items = {item.nodeid: item for item in items}
        self._tests: dict[str, list[str]] = {
            WALKING: [name for walks in WALKS for name in self._below(walks)],
            "state machine, at first": _seeds("any", range(budget.first_seeds)),
            **{folder: self._below(f"{folder}/") for folder in FOLDERS},
            "full books": _seeds("full books", range(budget.full_books)),
            "state machine": _seeds("any", range(budget.first_seeds, budget.seeds)),
        }

    def _below(self, start: str) -> list[str]:
        return [name for name in self._items if name.startswith(start)]

    def has(self, stage: str, test: str) -> bool:
        return test in self._tests.get(stage, ())

    def names(self) -> list[str]:
        """Return the stages that have tests."""
        return [stage for stage, tests in self._tests.items() if tests]

    def order(self, first: Iterable[str] = ()) -> list[str]:
        """Return the stages that have tests, some of them first."""
        names = self.names()
        return [stage for stage in dict.fromkeys([*first, *names]) if stage in names]

    def tests(self, stage: str, likely: Sequence[str] = ()) -> list[str]:
        """Return the tests of a stage: those first that are likely to fail, unless they share fixtures with others."""
        tests = self._tests[stage]
        first = [] if stage in FOLDERS else [test for test in likely if test in tests]
        return [*dict.fromkeys([*first, *tests])]

    def run(self, stage: str, likely: Sequence[str] = ()) -> Result:
        """Run the tests of a stage in this process, until one fails."""
        tests = self.tests(stage, likely)
        for test, following in zip(tests, [*tests[1:], ""], strict=True):
            if stage == WALKING:
                failure = _run_walk(self._items[test])
            else:
                failure = self._run_item(test, following) if test in self._items else _run_machine(test)
            if failure is not None:
                return Result(test, failure)
        return Result()

    def _run_item(self, test: str, following: str) -> str | None:
        """Run a test with its fixtures, and return how it failed if it did."""
        item = self._items[test]
        watcher = _Watcher()
        item.config.pluginmanager.register(watcher)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._items.get(following))
        finally:
            item.config.pluginmanager.unregister(watcher)
        if watcher.failure and NOT_TORN_DOWN in watcher.failure:
            raise RuntimeError(f"{test}: {watcher.failure}")  # no mutant is killed by an order of tests
        return watcher.failure


def _seeds(machine: str, numbers: range) -> list[str]:
    return [f"machine:{machine}:{number}" for number in numbers]


def _run_machine(test: str) -> str | None:
    """Run the machine a few times from one seed, and return how it failed if it did."""
    _, name, number = test.split(":")
    machine = MACHINES[name]
    machine.seed = int(number)
    options = settings(
        max_examples=RUNS_OF_A_SEED if name == "any" else 1,
        stateful_step_count=STEPS[name],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        print_blob=False,
        report_multiple_bugs=False,
    )
    try:
        for setting in machine.markets:
            market(setting)  # what is deployed within a run ends with it
        run_state_machine_as_test(seed(int(number))(machine), settings=options)
    except Exception as failure:
        return _described(failure)
    return None


def _run_walk(item: Any) -> str | None:
    """Run a test that has no fixtures but the markets: without pytest around it, those are deployed that it needs."""
    try:
        item.obj(**item.callspec.params if hasattr(item, "callspec") else {})
    except Exception as failure:
        return _described(failure)
    return None


class _Watcher:
    failure: str | None = None

    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> None:
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.failure = self.failure or _described(call.excinfo.value)


def _described(failure: BaseException) -> str:
    lines = str(failure).strip().splitlines() or [""]
    return f"{type(failure).__name__}: {lines[0]}"[:200]


def silence() -> None:
    """Send what tests print nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)

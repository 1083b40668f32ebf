"""What a mutant has to get through, the quickest first; the first test that fails has killed it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.exchange_machine import ExchangeMachine, FullBooks
from tests.stateful.side_by_side import market

WALKS = "tests/stateful/test_walks.py"
FOLDERS = ("tests/tokens", "tests/matrices", "tests/adversaries")
"""Tests in this process, in the order in which they are tried; a folder that is not there is passed over."""
QUICK = ("walks",)
"""The stages that a mutant has to get through in any case."""
MACHINES: dict[str, type[ExchangeMachine]] = {"any": ExchangeMachine, "full books": FullBooks}
STEPS = {"any": 50, "full books": 100}
RUNS_OF_A_SEED = 5


@dataclass(frozen=True)
class Budget:
    """How many runs of the state machine a mutant has to survive."""

    first_seeds: int = 2  # before the folders
    seeds: int = 16
    full_books: int = 3


class Killed(Exception):
    """A test has failed."""

    def __init__(self, stage: str, test: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.test = test
        self.reason = reason


class Stages:
    """All tests in their order, collected once and run in forked children."""

    def __init__(self, items: Sequence[pytest.Item], budget: Budget) -> None:
        self._items = {item.nodeid: item for item in items}
        self._tests: dict[str, list[str]] = {
            "walks": self._below(WALKS),
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

    def run(self, first: Sequence[tuple[str, str]] = (), only: Sequence[str] = ()) -> None:
        """Run test after test.

        Args:
            first: stages and names of tests that go first.
            only: the stages, if others are left out.

        Raises:
            Killed: a test has failed.
        """
        for stage, test in first:
            if self.has(stage, test):
                self._run(stage, test)
        for stage, tests in self._tests.items():
            for test in tests if not only or stage in only else ():
                if (stage, test) not in first:
                    self._run(stage, test)

    def _run(self, stage: str, test: str) -> None:
        if stage == "walks":
            failure = _run_walk(self._items[test])
        else:
            failure = self._run_item(test) if test in self._items else _run_machine(test)
        if failure is not None:
            raise Killed(stage, test, failure)

    def _run_item(self, test: str) -> str | None:
        """Run a test with its fixtures, and return how it failed if it did."""
        item = self._items[test]
        names = list(self._items)
        following = names[(names.index(test) + 1) % len(names)]
        watcher = _Watcher()
        item.config.pluginmanager.register(watcher)
        try:
            # what it shares with the next test stays
            nextitem = self._items[following] if following != test else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        finally:
            item.config.pluginmanager.unregister(watcher)
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

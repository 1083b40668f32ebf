"""Holds mutants against the tests, which pytest has collected once in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests import bytecode
from tests.mutation.children import in_children
from tests.mutation.sources import ROOT
from tests.mutation.stages import FOLDERS, WALKS, Budget, Killed, Stages, silence
from tests.mutation.verdicts import Outcome, Verdict, Verdicts, digest_of_code, digest_of_tests

EXCHANGE = "Exchange"
LIMIT_SECONDS = 1_800
# What is created refuses everything: returns five bytes of code, which revert.
REFUSES_ALL = bytes.fromhex("6005600c60003960056000f3" + "5f5ffd0000")


@dataclass(frozen=True)
class Task:
    code: bytes
    known: tuple[str, str] | None = None  # stage and test that have killed it before
    only_stage: str = ""


class BrokenHarness(Exception):
    """The tests say of a contract what can't be."""


class Killing:
    """A plugin of pytest that runs its own loop over the tests, again and again."""

    def __init__(self, work: Callable[[Killing], None], budget: Budget, processes: int) -> None:
        self._work = work
        self._budget = budget
        self._processes = processes
        self.verdicts = Verdicts()
        self.folders = tuple(folder for folder in FOLDERS if (ROOT / folder).is_dir())
        self.tests = digest_of_tests(self.folders)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise BrokenHarness(f"{session.testsfailed} tests can't be collected")
        if EXCHANGE in bytecode.asked_for:
            raise BrokenHarness("the exchange was deployed while the tests were collected")
        self._stages = Stages(session.items, self._budget)
        self._work(self)
        return True

    # -------------------------------------------------------------- the harness itself

    def check(self, original: bytes) -> None:
        """See that the contract as it is gets through, and that each stage notices one that refuses everything."""
        tasks = [Task(REFUSES_ALL, only_stage=stage) for stage in self._stages.names()]
        for done in in_children(tasks, self._hold, self._processes, LIMIT_SECONDS):
            if done.result is None or done.result.outcome != Outcome.KILLED:
                raise BrokenHarness(f"{done.task.only_stage}: a contract that refuses everything is not noticed")
        known = self.verdicts.get(digest_of_code(original))
        if known and known.tests == self.tests and known.outcome == Outcome.SURVIVED:
            return
        for done in in_children([Task(original)], self._hold, 1, LIMIT_SECONDS):
            if done.result is None or done.result.outcome != Outcome.SURVIVED:
                raise BrokenHarness(f"the contract as it is does not get through: {done.result}")
            self.verdicts.add(done.result)

    # -------------------------------------------------------------- mutants

    def kill(self, codes: Sequence[bytes]) -> Iterator[tuple[bytes, Verdict]]:
        """Yield a verdict on each code; those that these same tests have found before come first."""
        tasks = []
        for code in codes:
            known = self.verdicts.get(digest_of_code(code))
            if known and known.tests == self.tests and known.outcome in (Outcome.KILLED, Outcome.SURVIVED):
                yield code, known
            else:
                tasks.append(Task(code, (known.stage, known.test) if known and known.test else None))
        for done in in_children(tasks, self._hold, self._processes, LIMIT_SECONDS):
            outcome = Outcome.LATE if done.is_late else Outcome.LOST
            lost = Verdict(digest_of_code(done.task.code), self.tests, outcome, round(done.seconds, 1))
            verdict = done.result or lost
            self.verdicts.add(verdict)
            yield done.task.code, verdict

    def _hold(self, task: Task) -> Verdict:
        """Hold one code against the tests; in a child."""
        silence()
        started = time.process_time()
        bytecode.STAND_INS[EXCHANGE] = task.code
        stage = test = reason = ""
        outcome = Outcome.SURVIVED
        try:
            self._stages.run(task.known, task.only_stage)
        except Killed as killed:
            outcome, stage, test, reason = Outcome.KILLED, killed.stage, killed.test, killed.reason
        seconds = round(time.process_time() - started, 1)
        return Verdict(digest_of_code(task.code), self.tests, outcome, seconds, stage, test, reason)


def run(killing: Killing) -> int:
    """Collect the tests and let the plugin work on them."""
    places = [place for place in (WALKS, *FOLDERS) if (ROOT / place).exists()]
    for place in (WALKS, *FOLDERS):
        if place not in places:
            print(f"{place} is not there: passed over", flush=True)
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-o",
        "timeout=0",
        "-m",
        "not long",
        "--rootdir",
        str(ROOT),
    ]
    return int(pytest.main([*options, *(str(ROOT / place) for place in places)], plugins=[killing]))

"""Holds mutants against the tests, which pytest has collected once in this process."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests import bytecode
from tests.mutation.children import in_children
from tests.mutation.sources import ROOT
from tests.mutation.stages import FOLDERS, QUICK, WALKS, Budget, Result, Stages, silence
from tests.mutation.verdicts import Outcome, Verdict, Verdicts, digest_of_code, digest_of_tests

EXCHANGE = "Exchange"
LIMIT_SECONDS = 1_800
TRIED_FIRST = 6
# What is created refuses everything: returns five bytes of code, which revert.
REFUSES_ALL = bytes.fromhex("6005600c60003960056000f3" + "5f5ffd0000")


@dataclass(frozen=True)
class Task:
    code: bytes
    stages: tuple[str, ...]  # in the order in which they are tried
    likely: tuple[str, ...] = ()  # tests that may well kill it
    is_whole: bool = False  # with what it has got through before, these are all stages


class BrokenHarness(Exception):
    """The tests say of a contract what can't be."""


class Killing:
    """A plugin of pytest that runs its own loop over the tests, again and again."""

    def __init__(
        self, work: Callable[[Killing], None], budget: Budget, processes: int, *, keeps_kills: bool = False
    ) -> None:
        """Take what is done with the collected tests, and whether kills by tests that have changed since count."""
        self._work = work
        self._keeps_kills = keeps_kills
        self._killers: dict[str, list[tuple[str, str]]] = defaultdict(list)  # place -> tests, the newest first
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

    def check(self, original: bytes, *, is_quick: bool = False) -> None:
        """See that the contract as it is gets through, and that each stage notices one that refuses everything."""
        stages = [stage for stage in self._stages.names() if stage in QUICK or not is_quick]
        tasks = [Task(REFUSES_ALL, (stage,)) for stage in stages]
        for done in in_children(tasks, self._hold, self._processes, LIMIT_SECONDS):
            if done.result is None or done.result.outcome != Outcome.KILLED:
                raise BrokenHarness(f"{done.task.stages}: a contract that refuses everything is not noticed")
        known = self.verdicts.get(digest_of_code(original))
        if known and self._is_valid(known, is_whole=not is_quick):
            return
        tasks = [Task(original, (stage,)) for stage in stages]
        seconds = 0.0
        for done in in_children(tasks, self._hold, self._processes, LIMIT_SECONDS):
            if done.result is None or done.result.outcome != Outcome.SURVIVED:
                raise BrokenHarness(f"{done.task.stages}: the contract as it is does not get through: {done.result}")
            seconds += done.result.seconds
        self.verdicts.add(
            Verdict(digest_of_code(original), self.tests, Outcome.SURVIVED, round(seconds, 1), is_whole=not is_quick)
        )

    # -------------------------------------------------------------- mutants

    def kill(self, codes: Mapping[bytes, str], quick: Collection[bytes]) -> Iterator[tuple[bytes, Verdict]]:
        """Yield a verdict on each code; those that are known already come first.

        Args:
            codes: what to kill, and where each is broken: tests that have killed there before are tried first.
            quick: those of them for which the first stages are enough.
        """
        waiting = []
        for code, place in codes.items():
            known = self.verdicts.get(digest_of_code(code))
            if known and self._is_valid(known, is_whole=code not in quick):
                self._remember(place, known)
                yield code, known
            else:
                waiting.append(code)

        def tasks() -> Iterator[Task]:
            for code in waiting:
                yield self._task(code, codes[code], is_whole=code not in quick)

        for done in in_children(tasks(), self._hold, self._processes, LIMIT_SECONDS):
            outcome = Outcome.LATE if done.is_late else Outcome.LOST
            lost = Verdict(digest_of_code(done.task.code), self.tests, outcome, round(done.seconds, 1))
            verdict = done.result or lost
            self.verdicts.add(verdict)
            self._remember(codes[done.task.code], verdict)
            yield done.task.code, verdict

    def _task(self, code: bytes, place: str, *, is_whole: bool) -> Task:
        """Plan on a code: what it has got through is left out, what has killed it before or others there goes first."""
        known = self.verdicts.get(digest_of_code(code))
        is_through = known and known.tests == self.tests and known.outcome == Outcome.SURVIVED
        mine = [(known.stage, known.test)] if known and known.test else []
        others = [*self._killers[place], *self._killers[place.partition(".")[0]][:2]]
        order = self._stages.order([*(stage for stage, _ in mine), *QUICK, *(stage for stage, _ in others)])
        stages = [stage for stage in order if (not is_through if stage in QUICK else is_whole)]
        likely = [test for _, test in [*mine, *others]]
        return Task(code, tuple(stages), tuple(likely[:TRIED_FIRST]), is_whole)

    def _is_valid(self, known: Verdict, *, is_whole: bool) -> bool:
        if known.outcome == Outcome.KILLED:
            return known.tests == self.tests or (self._keeps_kills and self._stages.has(known.stage, known.test))
        return known.outcome == Outcome.SURVIVED and known.tests == self.tests and (known.is_whole or not is_whole)

    def _remember(self, place: str, verdict: Verdict) -> None:
        killer = verdict.stage, verdict.test
        for row in (self._killers[place], self._killers[place.partition(".")[0]]) if verdict.test else ():
            if killer in row:
                row.remove(killer)
            row.insert(0, killer)

    def _hold(self, task: Task) -> Verdict:
        """Hold one code against stages, in a child; each has a child of its own."""
        silence()
        bytecode.STAND_INS[EXCHANGE] = task.code
        outcome, at, result = Outcome.SURVIVED, "", Result()

        def run(stage: str) -> Result:
            return self._stages.run(stage, task.likely)

        for stage in task.stages:
            [done] = in_children([stage], run, 1, LIMIT_SECONDS)
            if done.result is None:
                raise RuntimeError(f"{stage}: its process has died")
            if done.result.test:
                outcome, at, result = Outcome.KILLED, stage, done.result
                break
        seconds = round(sum(os.times()[:4]), 1)  # the stages' too
        digest = digest_of_code(task.code)
        return Verdict(digest, self.tests, outcome, seconds, at, result.test, result.reason, task.is_whole)


def run(killing: Killing) -> int:
    """Collect the tests and let the plugin work on them."""
    places = [place for place in (*WALKS, *FOLDERS) if (ROOT / place).exists()]
    for place in (*WALKS, *FOLDERS):
        if place not in places:
            print(f"{place} is not there: passed over", flush=True)
    options = [
        "-q",
        "-s",
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

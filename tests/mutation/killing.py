"""Holds mutants against the tests, which pytest has collected once in this process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests import bytecode
from tests.mutation.children import in_children
from tests.mutation.sources import ROOT
from tests.mutation.stages import FOLDERS, QUICK, WALKS, Budget, Killed, Stages, silence
from tests.mutation.verdicts import Outcome, Verdict, Verdicts, digest_of_code, digest_of_tests

EXCHANGE = "Exchange"
LIMIT_SECONDS = 1_800
TRIED_FIRST = 6
# What is created refuses everything: returns five bytes of code, which revert.
REFUSES_ALL = bytes.fromhex("6005600c60003960056000f3" + "5f5ffd0000")


@dataclass(frozen=True)
class Task:
    code: bytes
    first: tuple[tuple[str, str], ...] = ()  # stages and tests that are likely to kill it
    only: tuple[str, ...] = ()  # the stages, if others are left out


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
        tasks = [Task(REFUSES_ALL, only=(stage,)) for stage in self._stages.names() if stage in QUICK or not is_quick]
        for done in in_children(tasks, self._hold, self._processes, LIMIT_SECONDS):
            if done.result is None or done.result.outcome != Outcome.KILLED:
                raise BrokenHarness(f"{done.task.only}: a contract that refuses everything is not noticed")
        known = self.verdicts.get(digest_of_code(original))
        if known and known.tests == self.tests and known.outcome == Outcome.SURVIVED and (known.is_whole or is_quick):
            return
        only = QUICK if is_quick else ()
        task = Task(original, self._stages.some_of_each(), only)
        for done in in_children([task], self._hold, 1, LIMIT_SECONDS):
            if done.result is None or done.result.outcome != Outcome.SURVIVED:
                raise BrokenHarness(f"the contract as it is does not get through: {done.result}")
            self.verdicts.add(done.result)

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
                known = self.verdicts.get(digest_of_code(code))
                mine = [(known.stage, known.test)] if known and known.test else []
                module = codes[code].partition(".")[0]
                likely = [*mine, *self._killers[codes[code]], *self._killers[module][:2]]
                yield Task(code, tuple(dict.fromkeys(likely))[:TRIED_FIRST], QUICK if code in quick else ())

        for done in in_children(tasks(), self._hold, self._processes, LIMIT_SECONDS):
            outcome = Outcome.LATE if done.is_late else Outcome.LOST
            lost = Verdict(digest_of_code(done.task.code), self.tests, outcome, round(done.seconds, 1))
            verdict = done.result or lost
            self.verdicts.add(verdict)
            self._remember(codes[done.task.code], verdict)
            yield done.task.code, verdict

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
        """Hold one code against the tests; in a child."""
        silence()
        started = time.process_time()
        bytecode.STAND_INS[EXCHANGE] = task.code
        stage = test = reason = ""
        outcome = Outcome.SURVIVED
        try:
            self._stages.run(task.first, task.only)
        except Killed as killed:
            outcome, stage, test, reason = Outcome.KILLED, killed.stage, killed.test, killed.reason
        seconds = round(time.process_time() - started, 1)
        is_whole = not task.only
        return Verdict(digest_of_code(task.code), self.tests, outcome, seconds, stage, test, reason, is_whole)


def run(killing: Killing) -> int:
    """Collect the tests and let the plugin work on them."""
    places = [place for place in (WALKS, *FOLDERS) if (ROOT / place).exists()]
    for place in (WALKS, *FOLDERS):
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

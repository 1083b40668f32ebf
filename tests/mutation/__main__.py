"""`python -m tests.mutation`: breaks the exchange in many places, and counts in how many of them the tests notice.

Every statement is deleted once, and a seeded sample of other changes is tried. An interrupted run goes on where it was.
The result is reports/mutation.json; survivors are explained in survivors.toml beside this file.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.mutation.killing import BrokenHarness, Killing, run
from tests.mutation.report import FILE, Report, explanations
from tests.mutation.selection import Selection, Selector, Tell, sources
from tests.mutation.stages import Budget
from tests.mutation.verdicts import Outcome

SEED = 3
MONEY = 420
OTHERS = 120


def main() -> int:
    arguments = _arguments()
    started = time.monotonic()

    def tell(what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        print(f"{minutes:3}:{seconds:02} {what}", flush=True)

    selector = Selector(sources(), arguments.processes, tell)
    is_whole = not arguments.only and not arguments.sample
    if is_whole:
        selector.select(arguments.seed, MONEY, OTHERS)
    else:
        selector.select_some(arguments.seed, arguments.only, arguments.sample or len(selector.mutants))
    selection = selector.selection
    reports: list[Report] = []

    def work(killing: Killing) -> None:
        tell(f"{len(selection.codes)} mutants; first the contract as it is, and one that refuses everything")
        killing.check(selection.original)
        reports.append(_kill(killing, selection, arguments.seed, tell))

    try:
        code = run(Killing(work, Budget(), arguments.processes))
    except KeyboardInterrupt:
        code = 2
    if not reports:
        print("interrupted: the next run goes on here" if code == 2 else "no result", flush=True)
        return code or 1
    report = reports[0]
    if is_whole:
        report.write()
    _show(report, is_whole)
    return 0 if report.is_good else 1


def _kill(killing: Killing, selection: Selection, seed: int, tell: Tell) -> Report:
    mutants = {code: mutant for mutant, code in selection.codes.items()}
    verdicts = {}
    for number, (code, verdict) in enumerate(killing.kill(list(mutants)), start=1):
        mutant = mutants[code]
        verdicts[mutant] = verdict
        by = f"{verdict.test.removeprefix(verdict.stage)}: {verdict.reason}" if verdict.stage else ""
        tell(
            f"[{number}/{len(mutants)}] {verdict.outcome} in {verdict.seconds} s | {mutant.name} | {verdict.stage} {by}"
        )
    return Report(seed, selection, {mutant: verdicts[mutant] for mutant in mutants.values()}, explanations())


def _show(report: Report, is_whole: bool) -> None:
    killed = len(report.mutants(Outcome.KILLED))
    print(f"{killed} of {len(report.verdicts)} mutants killed: {report.score} %")
    for mutant in report.unexplained():
        print(f"  not explained, {report.verdicts[mutant].outcome}: {mutant.path}:{mutant.line} {mutant.name}")
    print(f"written to {FILE.name}" if is_whole else "a part of the mutants: nothing written")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", metavar="TEXT", default="", help="try the mutants whose names contain this")
    parser.add_argument("--sample", type=int, metavar="COUNT", help="try so many of them")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenHarness as broken:
        sys.exit(f"the harness is broken: {broken}")

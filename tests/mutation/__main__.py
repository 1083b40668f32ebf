"""`python -m tests.mutation`: breaks the exchange in many places, and counts in how many of them the tests notice.

Every statement is deleted once, and a seeded sample of other changes is tried. An interrupted run goes on where it was.
The result is reports/mutation.json; survivors are explained in survivors.toml beside this file.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from tests.mutation.catalogue import Mutant
from tests.mutation.killing import BrokenHarness, Killing, run
from tests.mutation.report import FILE, Report, explanations
from tests.mutation.selection import Selection, Selector, Tell, sources
from tests.mutation.stages import Budget
from tests.mutation.verdicts import Outcome, Verdict

SEED = 3
MONEY = 330
OTHERS = 80


def main() -> int:
    arguments = _arguments()
    started = time.monotonic()

    def tell(what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        print(f"{minutes:3}:{seconds:02} {what}", flush=True)

    selector = Selector(sources(), arguments.processes, tell)
    is_whole = not arguments.only and not arguments.sample
    if is_whole:
        rows = selector.select(arguments.seed, MONEY, OTHERS)
    else:
        rows = selector.select_some(arguments.seed, arguments.only, arguments.sample or len(selector.mutants))
    reports: list[Report] = []

    def work(killing: Killing) -> None:
        tell("first the contract as it is, and one that refuses everything")
        killing.check(selector.selection.original, is_quick=arguments.quick)
        reports.append(_kill(killing, selector.selection, rows, arguments, tell))

    killing = Killing(work, Budget(), arguments.processes, keeps_kills=arguments.keep_kills)
    try:
        code = run(killing)
    except KeyboardInterrupt:
        code = 2
    if not reports:
        print("interrupted: the next run goes on here" if code == 2 else "no result", flush=True)
        return code or 1
    report = reports[0]
    if is_whole and not arguments.quick:
        report.write()
    _show(report, is_whole and not arguments.quick)
    return 0 if report.is_good else 1


def _kill(
    killing: Killing, selection: Selection, rows: Iterator[list[Mutant]], arguments: argparse.Namespace, tell: Tell
) -> Report:
    """Kill mutants row by row, as they get compiled."""
    explained = explanations()
    verdicts: dict[Mutant, Verdict] = {}
    for row in rows:
        mutants = {selection.codes[mutant]: mutant for mutant in row}
        places = {code: mutant.name.partition(":")[0] for code, mutant in mutants.items()}
        quick = {code for code, mutant in mutants.items() if arguments.quick or mutant.name in explained}
        for code, verdict in killing.kill(places, quick):
            mutant = mutants[code]
            verdicts[mutant] = verdict
            by = f"{verdict.test.removeprefix(verdict.stage)}: {verdict.reason}" if verdict.stage else ""
            what = f"{verdict.outcome} in {verdict.seconds} s | {mutant.name} | {verdict.stage} {by}"
            tell(f"[{len(verdicts)}] {what}")
        alive = sum(verdict.outcome != Outcome.KILLED for verdict in verdicts.values())
        tell(f"{len(verdicts)} mutants so far, {alive} alive")
    return Report(arguments.seed, selection, {mutant: verdicts[mutant] for mutant in selection.codes}, explained)


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
    parser.add_argument("--quick", action="store_true", help="only the first stages, and no report")
    parser.add_argument(
        "--keep-kills", action="store_true", help="don't try again what tests have killed that have changed since"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="try the mutants whose names contain this")
    parser.add_argument("--sample", type=int, metavar="COUNT", help="try so many of them")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenHarness as broken:
        sys.exit(f"the harness is broken: {broken}")

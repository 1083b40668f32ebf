"""`python -m tests.tour` executes docs/tour.md on the market that the environment names, see `make demo KEEP=1`.

It ends with 1 and shows what differs, or with `--write` writes what was printed into the page.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bytecode import ROOT
from tests.tour import page
from tests.tour.masks import is_same, masked
from tests.tour.page import PageError, Step

STEP_SECONDS = 120
LOOKING = re.compile(r"^moorage (status|list|logs|doctor|search|plan|claim)\b")
"""What changes nothing is run again as long as it is not as the page says: a workload may be on its way, and a provider
may just have claimed what it has earned."""
PATIENCE_SECONDS = 20.0
WRITING_PATIENCE_SECONDS = 12.0
NOTHING = "(nothing)\n"
"""What the page shows where nothing is printed."""
WIDTH = 80
"""Columns of the terminal that the page is shown as."""
SHELL = ("bash", "--norc", "-euo", "pipefail", "-c")
HOME, SOURCE, DEMO = "/home/you", "/home/you/moorage", "/tmp/moorage-demo"
"""What the page shows for the folders that are elsewhere on each machine."""


class Walker:
    """Runs steps one after the other, in a home directory of their own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "tour"
        self._folder.mkdir()
        (self._folder / "examples").symlink_to(ROOT / "examples")
        programs = Path(sys.executable).parent
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"},
            "HOME": str(home),
            "COLUMNS": str(WIDTH),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }
        self._names = _folders(home, Path(os.environ.get("MOORAGE_MARKET", "/nowhere/deployments/1.json")))

    def run(self, step: Step) -> str:
        """Return what a step prints, with its exit code if that is not 0."""
        try:
            ended = subprocess.run(
                [*SHELL, step.command],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=STEP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return f"{(error.output or b'').decode()}\n(not over after {STEP_SECONDS} s)\n"
        printed = ended.stdout if ended.stdout.endswith("\n") or not ended.stdout else f"{ended.stdout}\n"
        for real, shown in self._names.items():
            printed = printed.replace(real, shown)
        printed = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
        return (printed or NOTHING) + (f"(exit code {ended.returncode})\n" if ended.returncode else "")

    def run_until_same(self, step: Step, patience_seconds: float) -> str:
        """Return what a step prints in the end."""
        until = time.monotonic() + (patience_seconds if LOOKING.match(step.command) else 0)
        printed = self.run(step)
        while not is_same(step.output, printed) and time.monotonic() < until:
            time.sleep(1)
            printed = self.run(step)
        return printed


def _folders(home: Path, market_file: Path) -> dict[str, str]:
    return {str(home): HOME, str(market_file.resolve().parent.parent): DEMO, str(ROOT): SOURCE}


def difference(step: Step, printed: str) -> str:
    """Return what is not as the page says, for people."""
    lines = difflib.unified_diff(masked(step.output), masked(printed), "the page", "printed", n=1, lineterm="")
    shown = "\n".join(f"    {line}" for line in lines)
    return f"{page.PAGE.name}, line {step.line}: $ {step.command}\n{shown}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what is printed into the page")
    must_write = parser.parse_args().write
    text = page.read()
    outputs: dict[int, str] = {}
    differences: list[str] = []
    with tempfile.TemporaryDirectory(prefix="moorage-tour-") as folder:
        walker = Walker(Path(folder).resolve())
        found = page.steps(text)
        for step in found:
            printed = walker.run_until_same(step, WRITING_PATIENCE_SECONDS if must_write else PATIENCE_SECONDS)
            outputs[step.line] = printed
            if not is_same(step.output, printed):
                differences.append(difference(step, printed))
    if must_write:
        page.PAGE.write_text(page.written_anew(text, outputs), encoding="utf-8")
        print(f"{page.PAGE.name}: {len(found)} commands run, {len(differences)} not as it said")
        return 0
    print("\n".join([*differences, f"{page.PAGE.name}: {len(found)} commands run, {len(differences)} not as it says"]))
    return 1 if differences else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PageError as error:
        sys.exit(f"{page.PAGE}: {error}")

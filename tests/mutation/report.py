"""The committed result: reports/mutation.json, with the sentences of survivors.toml on what was not killed."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vyper

from tests.mutation.catalogue import DELETION, Mutant
from tests.mutation.compiler import digest_of_sources
from tests.mutation.selection import Selection
from tests.mutation.sources import ROOT
from tests.mutation.stages import QUICK
from tests.mutation.verdicts import Outcome, Verdict

FILE = ROOT / "reports" / "mutation.json"
EXPLANATIONS = Path(__file__).with_name("survivors.toml")
EQUIVALENT = "equivalent"  # does the same in every state that can be reached
KINDS = (EQUIVALENT, "not killed")
LEAST_SCORE = 95.0  # per cent


@dataclass(frozen=True)
class Explanation:
    """Why tests can't kill a mutant."""

    mutant: str
    kind: str
    why: str


def explanations(file: Path = EXPLANATIONS) -> dict[str, Explanation]:
    """Return the explanations by the names of the mutants."""
    rows = tomllib.loads(file.read_text(encoding="utf-8")).get("survivor", [])
    found = {row["mutant"]: Explanation(**row) for row in rows}
    if len(found) < len(rows) or not all(each.kind in KINDS and each.why.endswith(".") for each in found.values()):
        raise ValueError(f"{file.name}: a mutant named twice, a kind other than {KINDS}, or no whole sentence")
    return found


@dataclass(frozen=True)
class Report:
    """What has come of all mutants of a selection."""

    seed: int
    selection: Selection
    verdicts: Mapping[Mutant, Verdict]
    explained: Mapping[str, Explanation]

    def mutants(self, *outcomes: Outcome) -> list[Mutant]:
        return [mutant for mutant, verdict in self.verdicts.items() if verdict.outcome in outcomes]

    @property
    def score(self) -> float:
        """Killed of those that are not equivalent, per cent, rounded down; what took too long is not killed."""
        return _share(len(self.mutants(Outcome.KILLED)), len(self.verdicts) - len(self.equivalent()))

    def equivalent(self) -> list[Mutant]:
        return [
            mutant
            for mutant in self.mutants(Outcome.SURVIVED)
            if mutant.name in self.explained and self.explained[mutant.name].kind == EQUIVALENT
        ]

    def unexplained(self) -> list[Mutant]:
        alive = self.mutants(Outcome.SURVIVED, Outcome.LATE, Outcome.LOST)
        return [mutant for mutant in alive if mutant.name not in self.explained]

    @property
    def is_good(self) -> bool:
        return self.score >= LEAST_SCORE and not self.unexplained()

    def content(self) -> dict[str, Any]:
        killed = self.mutants(Outcome.KILLED)
        survivors = self.mutants(Outcome.SURVIVED, Outcome.LATE, Outcome.LOST)
        return {
            "contracts": _git("log", "-1", "--format=%H", "--", *self.selection.paths()),
            "digest_of_sources": digest_of_sources(),
            "compiler": vyper.__long_version__,
            "seed": self.seed,
            "score_per_cent": self.score,
            "score_per_cent_with_equivalent": _share(len(killed), len(self.verdicts)),
            "mutants": len(self.verdicts),
            "deletions": sum(mutant.operator == DELETION for mutant in self.verdicts),
            "killed": len(killed),
            "equivalent": len(self.equivalent()),
            "not_killed": len(survivors) - len(self.equivalent()),
            "took_too_long": len(self.mutants(Outcome.LATE)),
            "died": len(self.mutants(Outcome.LOST)),
            "left_out": dict(sorted(self.selection.left_out.items())),
            "killed_of_mutants_by_operator": self._shares(mutant.operator for mutant in self.verdicts),
            "killed_of_mutants_by_source": self._shares(mutant.path for mutant in self.verdicts),
            "killed_by_stage": dict(Counter(self.verdicts[mutant].stage for mutant in killed).most_common()),
            "survivors": [self._survivor(mutant) for mutant in survivors],
        }

    def _shares(self, groups: Iterable[str]) -> dict[str, str]:
        every = Counter(groups)
        killed = self.mutants(Outcome.KILLED)
        counts = Counter([mutant.operator for mutant in killed] + [mutant.path for mutant in killed])
        return {group: f"{counts[group]} of {number}" for group, number in sorted(every.items())}

    def _survivor(self, mutant: Mutant) -> dict[str, Any]:
        explanation = self.explained.get(mutant.name)
        return {
            "mutant": mutant.name,
            "source": f"{mutant.path}:{mutant.line}",
            "outcome": self.verdicts[mutant].outcome,
            "held_against": "all tests" if self.verdicts[mutant].is_whole else ", ".join(QUICK),
            "kind": explanation.kind if explanation else "unexplained",
            "why": explanation.why if explanation else "",
        }

    def write(self, file: Path = FILE) -> None:
        file.write_text(json.dumps(self.content(), indent=2) + "\n", encoding="utf-8")


def _share(part: int, whole: int) -> float:
    return part * 10_000 // max(1, whole) / 100


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

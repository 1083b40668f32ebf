"""What has become of each mutant, kept below build/ so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutation.sources import ROOT

FILE = ROOT / "build" / "mutation" / "verdicts.jsonl"
TESTS = ("tests/*.py", "tests/stateful/*.py", "tests/mutation/stages.py", "contracts/testing/**/*.vy")


class Outcome(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    LATE = "took too long"
    LOST = "its process died"


@dataclass(frozen=True)
class Verdict:
    """On a mutant's code, as tests of one state have found it."""

    code: str
    tests: str
    outcome: Outcome
    seconds: float  # of a processor
    stage: str = ""
    test: str = ""
    reason: str = ""
    is_whole: bool = True  # held against all tests, if none has killed it


class Verdicts:
    """All verdicts so far, the newest on each code."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._found: dict[str, Verdict] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
            fields = json.loads(line)
            self._found[fields["code"]] = Verdict(**{**fields, "outcome": Outcome(fields["outcome"])})

    def get(self, code: str) -> Verdict | None:
        return self._found.get(code)

    def add(self, verdict: Verdict) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(verdict)) + "\n")
        self._found[verdict.code] = verdict


def digest_of_code(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()[:32]


def digest_of_tests(folders: tuple[str, ...]) -> str:
    """Return a digest of all that decides whether a mutant is killed, but for the mutant."""
    digest = hashlib.sha256()
    patterns = (*TESTS, *(f"{folder}/**/*.py" for folder in folders))
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16]

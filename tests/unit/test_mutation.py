"""The mutants: which there are, how they are named, and that every explained survivor is one of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from tests.mutation.catalogue import DELETION, Mutant, mutants_of, sampled
from tests.mutation.report import EQUIVALENT, FILE, KINDS, LEAST_SCORE, Explanation, Report, explanations
from tests.mutation.selection import Selection
from tests.mutation.sources import DELETIONS_ALONE, MONEY, OTHERS, ROOT, Source, read
from tests.mutation.verdicts import Outcome, Verdict

SOURCE = '''# pragma version 0.4.3

struct Pair:
    left: uint256
    right: uint256

event Moved:
    sender: address
    amount: uint256

LEFT_SHIFT: constant(uint256) = 8
RIGHT_SHIFT: constant(uint256) = 2**4
words: HashMap[address, uint256]


@internal
def _add(account: address, amount: uint256, fee: uint256):
    """
    @dev A note is no statement.
    """
    if amount > fee and (fee != 0 or amount >= 2):
        return
    self.words[account] += min(amount, fee) << LEFT_SHIFT
    log Moved(sender=account, amount=amount)


@internal
def _subtract(account: address, amount: uint256, fee: uint256):
    pair: Pair = Pair(left=amount, right=fee)
    self.words[account] = pair.left - pair.right


@external
def move(amount: uint256) -> uint256:
    total: uint256 = 0
    for i: uint256 in range(3):
        if i == 1:
            continue
        total = total + i
    self._add(msg.sender, amount, total)
    self._subtract(msg.sender, amount, total)
    return total
'''


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "sample.vy").write_text(SOURCE, encoding="ascii")
    return read("sample.vy", tmp_path)


@cache
def catalogue(path: str) -> list[Mutant]:
    return mutants_of(read(path))


def names(source: Source, operator: str) -> list[str]:
    shown = [mutant.name for mutant in mutants_of(source) if mutant.operator == operator]
    return [name.removeprefix("sample.").replace(f" {operator}:", "") for name in shown]


def test_mutants__deletion__leaves_out_each_statement_once(source: Source) -> None:
    assert names(source, DELETION) == [
        "_add: if amount > fee and (fee != 0 or amount >= 2): return",
        "_add: self.words[account] += min(amount, fee) << LEFT_SHIFT",
        "_add: log Moved(sender=account, amount=amount)",
        "_subtract: Pair(left=amount, right=fee) -> empty(Pair)",
        "_subtract: self.words[account] = pair.left - pair.right",
        "move: 0 -> empty(uint256)",
        "move: for i: uint256 in range(3): if i == 1: continue total = total + i",
        "move: if i == 1: continue",
        "move: total = total + i",
        "move: self._add(msg.sender, amount, total)",
        "move: self._subtract(msg.sender, amount, total)",
        "move: return total",
    ]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("comparison", "_add: fee != 0 -> (fee == 0)"),
        ("comparison", "_add: amount > fee -> (amount >= fee)"),
        ("comparison", "_add: amount >= 2 -> (amount < 2)"),
        ("arithmetic", "_subtract: pair.left - pair.right -> (pair.left + pair.right)"),
        ("arithmetic", "_add: += -> -="),
        ("arithmetic", "_add: min(amount, fee) << LEFT_SHIFT -> (min(amount, fee) >> LEFT_SHIFT)"),
        ("constant", "_add: 2 -> 1"),
        ("constant", "RIGHT_SHIFT: 4 -> 5"),
        (
            "negation",
            "_add: amount > fee and (fee != 0 or amount >= 2) -> not (amount > fee and (fee != 0 or amount >= 2))",
        ),
        ("and / or", "_add: amount > fee and (fee != 0 or amount >= 2) -> amount > fee or (fee != 0 or amount >= 2)"),
        ("and / or", "_add: amount > fee and (fee != 0 or amount >= 2) -> amount > fee"),
        ("and / or", "_add: amount > fee and (fee != 0 or amount >= 2) -> (fee != 0 or amount >= 2)"),
        ("and / or", "_add: fee != 0 or amount >= 2 -> amount >= 2"),
        ("min / max", "_add: min(amount, fee) -> max(amount, fee)"),
        ("min / max", "_add: min(amount, fee) -> fee"),
        ("swapped arguments", "_subtract: Pair(left=amount, right=fee) -> Pair(left=fee, right=amount)"),
        ("swapped arguments", "move: self._add(msg.sender, amount, total) -> self._add(msg.sender, total, amount)"),
        (
            "event",
            "_add: Moved(sender=account, amount=amount) -> Moved(sender=account, amount=empty(uint256))",
        ),
        ("variable", "_subtract: pair.left -> pair.right"),
        ("field", "_add: LEFT_SHIFT -> RIGHT_SHIFT"),
        ("function", "move: self._add -> self._subtract"),
        ("loop", "move: continue -> break"),
        ("early return", "move: self._subtract(msg.sender, amount, total) return total"),
    ],
)
def test_mutants__each_operator__makes_its_change(source: Source, operator: str, expected: str) -> None:
    assert expected in names(source, operator)


def test_mutants__applied__differ_in_one_stretch_and_have_names_of_their_own(source: Source) -> None:
    mutants = mutants_of(source)
    texts = {mutant.apply(SOURCE) for mutant in mutants}

    assert len(texts) == len({mutant.name for mutant in mutants}) == len(mutants) > 60
    assert SOURCE not in texts
    assert all(text.startswith("# pragma version 0.4.3\n\nstruct Pair:") for text in texts)


def test_sample__same_seed__is_the_same_and_has_each_operator(source: Source) -> None:
    mutants = mutants_of(source)
    operators = {mutant.operator for mutant in mutants}

    first, second, other = ([*sampled(mutants, seed)] for seed in (1, 1, 2))

    assert first == second != other
    assert {mutant.operator for mutant in islice(first, len(operators))} == operators
    assert sorted(mutant.name for mutant in other) == sorted(mutant.name for mutant in mutants)


def test_selection__code_of_no_use__is_counted_and_left_out(source: Source) -> None:
    first, second, *_ = mutants_of(source)
    selection = Selection(original=b"0")

    taken = [selection.take(first, code) for code in (None, b"0", b"1")] + [selection.take(second, b"1")]

    assert taken == [False, False, True, False]
    assert selection.codes == {first: b"1"}
    assert sum(selection.left_out.values()) == 3


@pytest.mark.parametrize("path", [*MONEY, *OTHERS, *DELETIONS_ALONE])
def test_survivors__explained__are_mutants_of_the_contract(path: str) -> None:
    explained = {name for name in explanations() if name.startswith(f"{Path(path).stem}.")}

    missing = explained - {mutant.name for mutant in catalogue(path)} if explained else set()

    assert not missing


def test_report__content__counts_equivalent_mutants_apart(source: Source) -> None:
    first, second, third, fourth, *_ = mutants_of(source)
    outcomes = {first: Outcome.KILLED, second: Outcome.SURVIVED, third: Outcome.KILLED, fourth: Outcome.LATE}
    verdicts = {mutant: Verdict(mutant.name, "", outcome, 1.0) for mutant, outcome in outcomes.items()}
    explained = {second.name: Explanation(second.name, EQUIVALENT, "It does the same.")}

    report = Report(1, Selection(original=b"0"), verdicts, explained)

    assert report.score == 66.66
    assert report.unexplained() == [fourth]
    assert not report.is_good


def test_report__committed__explains_each_survivor_and_says_of_which_contracts_it_is() -> None:
    report = json.loads(FILE.read_text(encoding="utf-8"))
    explained = explanations()
    survivors = report["survivors"]
    equivalent = sum(survivor["kind"] == EQUIVALENT for survivor in survivors)

    assert [each["mutant"] for each in survivors if each["kind"] not in KINDS or not each["why"]] == []
    for survivor in survivors:
        assert explained[survivor["mutant"]] == Explanation(survivor["mutant"], survivor["kind"], survivor["why"])
    assert report["mutants"] == report["killed"] + len(survivors)
    assert report["mutants"] - report["deletions"] >= 400
    assert report["score_per_cent"] == report["killed"] * 10_000 // (report["mutants"] - equivalent) / 100
    assert report["score_per_cent"] >= LEAST_SCORE
    # the contracts may have changed since: then the report says by its commit and digest that it is of others
    assert len(bytes.fromhex(report["contracts"])) == 20
    assert len(bytes.fromhex(report["digest_of_sources"])) == 32


def test_faster_compiler__mutant__is_what_the_compiler_makes_of_it(tmp_path: Path) -> None:
    path = "contracts/_modules/leases.vy"
    mutant = next(mutant for mutant in catalogue(path) if mutant.name.startswith("leases._divide: arithmetic"))
    text = mutant.apply((ROOT / path).read_text(encoding="ascii"))
    for folder in ("contracts", "interfaces"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / path).write_text(text, encoding="ascii")
    command = [sys.executable, "-m", "vyper.cli.vyper_compile", "--no-bytecode-metadata", "contracts/Exchange.vy"]

    code = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
    # in a process of its own: other tests want the compiler as it is
    faster = f"from tests.mutation.compiler import *; warm_up(); print(compile_anew({path!r}, {text!r}).hex())"
    run = subprocess.run([sys.executable, "-c", faster], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "0x" + run.stdout.strip() == code

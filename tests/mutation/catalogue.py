"""All mutants of the sources under names that outlive a change elsewhere, and the sample that is tried of them."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from tests.mutation.deletions import deletions, early_returns
from tests.mutation.operators import constant_edits, expression_edits
from tests.mutation.sources import Source

DELETION = "deletion"
SHOWN = 90  # characters of a statement in a name
WORD = re.compile(r"\w+|\W")


@dataclass(frozen=True)
class Mutant:
    """One place changed in one source."""

    name: str  # module.function: operator: old -> new
    path: str
    operator: str
    line: int
    start: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def mutants_of(source: Source) -> list[Mutant]:
    """Return all mutants of a source, in the order of their places."""
    parts = deletions(source), early_returns(source), expression_edits(source), constant_edits(source)
    found: dict[tuple[int, int, str], tuple[str, str]] = {}
    for node, edit in chain(*parts):
        place = getattr(node, "name", None) or node.target.id
        found.setdefault((edit.start, edit.end, edit.new), (place, edit.operator))
    names: Counter[str] = Counter()
    mutants = []
    for (start, end, new), (place, operator) in sorted(found.items()):
        old = source.text[start:end]
        is_cut = operator == "early return" or (operator == DELETION and not new.startswith("empty"))
        change = _short(old) if is_cut else _change(old, new)
        name = f"{source.name}.{place}: {operator}: {change}"
        names[name] += 1
        if names[name] > 1:
            name += f" #{names[name]}"
        line = source.text.count("\n", 0, start) + 1
        mutants.append(Mutant(name, source.path, operator, line, start, end, new))
    return mutants


def sampled(mutants: Iterable[Mutant], seed: int) -> Iterator[Mutant]:
    """Yield mutants in an order drawn with a seed, each operator in turn, so that rare ones are not left out."""
    by_operator = defaultdict(list)
    for mutant in sorted(mutants, key=lambda mutant: mutant.name):
        by_operator[mutant.operator].append(mutant)
    chance = random.Random(seed)
    for row in by_operator.values():
        chance.shuffle(row)
    while any(by_operator.values()):
        for operator in sorted(by_operator):
            if by_operator[operator]:
                yield by_operator[operator].pop()


def _change(old: str, new: str) -> str:
    """Show what is changed, of a long stretch only the words that are not the same."""
    if max(len(" ".join(text.split())) for text in (old, new)) > SHOWN:
        first, last = WORD.findall(old), WORD.findall(new)
        before = _shared(first, last)
        after = _shared(first[before:][::-1], last[before:][::-1])
        old, new = ("".join(words[before : len(words) - after]) for words in (first, last))
    return f"{_short(old)} -> {_short(new)}"


def _shared(first: list[str], second: list[str]) -> int:
    """Return how many words two rows have in common from their beginning on."""
    pairs = zip(first, second, strict=False)
    return next((index for index, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second)))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 3].rstrip() + "..."

"""Which mutants are tried: the deletion of every statement, and a seeded sample of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tests.mutation.catalogue import DELETION, Mutant, mutants_of, sampled
from tests.mutation.children import in_children
from tests.mutation.compiler import compiled, is_compiled, warm_up
from tests.mutation.sources import DELETIONS_ALONE, MONEY, OTHERS, Source, read

LIMIT_SECONDS = 300  # for the compiler
AT_A_TIME = 40


@dataclass
class Selection:
    """Mutants whose code is that of no other, with what is created from it."""

    original: bytes
    codes: dict[Mutant, bytes] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)  # why -> how many
    seen: dict[bytes, Mutant] = field(default_factory=dict)

    @staticmethod
    def paths() -> tuple[str, ...]:
        return (*MONEY, *OTHERS, *DELETIONS_ALONE)

    def take(self, mutant: Mutant, code: bytes | None) -> bool:
        """Take a mutant unless it is none, or one that is there already."""
        if code is None:
            self.left_out["does not compile"] += 1
        elif code == self.original:
            self.left_out["same code as the contract"] += 1
        elif code in self.seen:
            self.left_out["same code as another mutant"] += 1
        else:
            self.seen[code] = mutant
            self.codes[mutant] = code
            return True
        return False


def sources() -> dict[str, Source]:
    return {path: read(path) for path in (*MONEY, *OTHERS, *DELETIONS_ALONE)}


Tell = Callable[[str], None]


class Selector:
    """Compiles mutants until there are enough that differ."""

    def __init__(self, found: dict[str, Source], processes: int, tell: Tell) -> None:
        """Take the sources by their paths, how many may compile at a time, and who is told how it goes."""
        warm_up()
        original = compiled()
        if original is None:
            raise SystemExit("the contract does not compile")
        self.mutants = [mutant for source in found.values() for mutant in mutants_of(source)]
        self.selection = Selection(original)
        self._found = found
        self._processes = processes
        self._tell = tell

    def select(self, seed: int, money: int, others: int) -> Iterator[list[Mutant]]:
        """Take every deletion and a sample: so many in the modules of the money, and so many in the others."""
        all_deletions = [mutant for mutant in self.mutants if mutant.operator == DELETION]
        yield from self._take(iter(all_deletions), len(all_deletions))
        self._tell(f"{len(all_deletions)} statements, {len(self.selection.codes)} mutants by their deletion")
        for paths, wanted in ((MONEY, money), (OTHERS, others)):
            rest = [each for each in self.mutants if each.path in paths and each.operator != DELETION]
            yield from self._take(sampled(rest, seed), wanted)
        self._tell(f"{len(self.selection.codes)} mutants in all, left out: {dict(self.selection.left_out)}")

    def select_some(self, seed: int, text: str, count: int) -> Iterator[list[Mutant]]:
        """Take so many of the mutants whose names contain a text."""
        yield from self._take(sampled((each for each in self.mutants if text in each.name), seed), count)

    def _take(self, mutants: Iterator[Mutant], wanted: int) -> Iterator[list[Mutant]]:
        """Take so many of a row of mutants, those that come first, a few at a time."""
        taken = 0
        while taken < wanted and (some := list(islice(mutants, min(wanted - taken, AT_A_TIME)))):
            texts = {mutant: mutant.apply(self._found[mutant.path].text) for mutant in some}
            self._compile(texts)
            new = [mutant for mutant, text in texts.items() if self.selection.take(mutant, compiled(mutant.path, text))]
            taken += len(new)
            yield new

    def _compile(self, texts: dict[Mutant, str]) -> None:
        """Have the compiler's cache filled."""
        missing = [mutant for mutant, text in texts.items() if not is_compiled(mutant.path, text)]

        def compile_one(mutant: Mutant) -> bool:
            return compiled(mutant.path, texts[mutant]) is not None

        for _ in in_children(missing, compile_one, self._processes, LIMIT_SECONDS):
            pass

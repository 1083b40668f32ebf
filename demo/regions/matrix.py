"""Who reaches whom: everybody tries everything, and what is reached is compared with what was declared.

What answers is recognised by what it says of itself, not by the address at which it was found: two machines may use the
same addresses, and a name means another container in each of them.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.processes import DemoFailed
from demo.regions import prober

TOKENS = {
    "postgres": re.compile(r"answers: ([NS])$"),
    "redis": re.compile(r"run_id:(\w+)"),
    "http": re.compile(r'(?s)HTTP/1.*"lease":"(\w+)"'),
    "banner": re.compile(r"answers: (.+)"),
    "tcp": re.compile(r"answers: (connected)$"),
}
"""Protocol -> where an answer says who gives it."""
AT_ONCE = 4
SECOND_TRIES = 2
REACHED, REFUSED, MISSING, OPEN = "o", ".", "-", "X"

Attempt = tuple[str, int, str]
"""Name or address, port, protocol."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that could be connected to."""

    name: str
    protocol: str
    attempts: tuple[Attempt, ...]
    """All its addresses."""
    token: str
    """What its answers are recognised by; for `tcp` nothing: whatever is at its address is it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that could connect."""

    name: str
    command: tuple[str | Path, ...]
    """What has to stand before a command to run it there."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """What was tried, and what was reached."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    reached: frozenset[tuple[str, str]]
    declared: frozenset[tuple[str, str]]
    outcomes: Mapping[str, int]
    """How attempts ended -> how many."""

    @property
    def pairs(self) -> int:
        """Return how many pairs were tried: all but everything with itself."""
        return sum(source != target for source in self.sources for target in self.targets)

    @property
    def faults(self) -> list[str]:
        """Return in words what is not as it was declared."""
        missing = [f"{source} does not reach {target}" for source, target in sorted(self.declared - self.reached)]
        return missing + [f"{source} reaches {target}" for source, target in sorted(self.reached - self.declared)]

    def table(self) -> str:
        """Return it for people: a line for each source."""
        width = max(map(len, self.sources))
        lines = [f"{'':{width}}  " + " ".join(f"{number:>2}" for number in range(1, len(self.targets) + 1))]
        for source in self.sources:
            cells = (f"{self._cell(source, target):>2}" for target in self.targets)
            lines.append(f"{source:{width}}  " + " ".join(cells))
        lines.append(f"{REACHED} reached, as declared   {REFUSED} not reached, and not declared")
        lines += [f"{number:>2} {target}" for number, target in enumerate(self.targets, 1)]
        return "\n".join(lines)

    def _cell(self, source: str, target: str) -> str:
        if source == target:
            return " "
        if (source, target) in self.declared:
            return REACHED if (source, target) in self.reached else MISSING
        return OPEN if (source, target) in self.reached else REFUSED


async def measure(
    sources: Sequence[Source],
    targets: Sequence[Target],
    names: Collection[Attempt],
    declared: Collection[tuple[str, str]],
) -> Matrix:
    """Let each source try each address of each target, and each name.

    Args:
        names: of services; each source tries all, and may find another one behind a name than another source.
        declared: source and target of what has to be reached.

    Raises:
        DemoFailed: a source cannot be entered.
    """
    attempts = sorted({*names, *(attempt for target in targets for attempt in target.attempts)})
    gate = asyncio.Semaphore(AT_ONCE)
    reached: set[tuple[str, str]] = set()
    ends: Counter[str] = Counter()

    async def try_all(source: Source) -> None:
        async with gate:
            ended = await probe(source, attempts)
        ends.update(outcome.partition(":")[0] for outcome in ended)
        for attempt, outcome in zip(attempts, ended, strict=True):
            reached.update((source.name, target.name) for target in targets if is_answer_of(target, attempt, outcome))

    await asyncio.gather(*map(try_all, sources))
    for _ in range(SECOND_TRIES):
        # a busy machine can be too slow for what is declared; what is not is a fault at the first try
        missing = {source for source, _ in set(declared) - reached}
        await asyncio.gather(*(try_all(source) for source in sources if source.name in missing))
    return Matrix(
        tuple(source.name for source in sources),
        tuple(target.name for target in targets),
        frozenset((source, target) for source, target in reached if source != target),
        frozenset(declared),
        dict(sorted(ends.items())),
    )


def is_answer_of(target: Target, attempt: Attempt, outcome: str) -> bool:
    """Return whether it was a target that has answered an attempt."""
    if attempt[2] != target.protocol or (found := TOKENS[target.protocol].search(outcome)) is None:
        return False
    return attempt in target.attempts if target.protocol == "tcp" else found[1] == target.token


async def token_of(source: Source, port: int, protocol: str) -> str:
    """Ask a server, from its own network, how its answers are recognised.

    Raises:
        DemoFailed: it does not answer.
    """
    (outcome,) = await probe(source, [("127.0.0.1", port, protocol)])
    if (found := TOKENS[protocol].search(outcome)) is None:
        raise DemoFailed(f"{source.name} does not answer itself on port {port}: {outcome}")
    return found[1]


async def probe(source: Source, attempts: Sequence[Attempt]) -> list[str]:
    """Make attempts from a source and return how they ended.

    Raises:
        DemoFailed: the source cannot be entered.
    """
    command = [str(part) for part in (*source.command, sys.executable, "-I", prober.__file__)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate(json.dumps(attempts).encode())
    if process.returncode != 0:
        raise DemoFailed(f"nothing can be tried from {source.name}: {errors.decode(errors='replace').strip()[-300:]}")
    outcomes: list[str] = json.loads(output)
    return outcomes

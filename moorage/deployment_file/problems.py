"""What is wrong in a deployment file, where, and how it is shown: `file:line:col: error: message`, the line and ^."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from moorage.told import printable

MAX_PROBLEMS = 100
"""After so many nothing more is looked for: what is wrong with the first ones is mended first."""
MAX_SHOWN_PROBLEMS = 50
"""Of them, as text."""
MAX_SHOWN_COLUMNS = 76
"""Of a line, beside the four in front of it: a caret is below its place only where no line goes over its end."""
MAX_QUOTED_CHARACTERS = 60
MAX_LISTED_NAMES = 20
LISTING = "; known are "

_LINE_BREAK = re.compile("\r\n|[\r\n]")


@dataclass(frozen=True)
class Source:
    """One file: its name as the tenant gave it, and its text."""

    name: str
    text: str = ""
    directory: Path = Path()
    """The one that what it names is relative to: where it really is, whatever link its name is."""
    is_remote: bool = False
    """Whether its name is an address."""
    included_at: Position | None = field(default=None, compare=False, repr=False)
    """What it is here for; None for the deployment file itself."""

    @cached_property
    def lines(self) -> list[str]:
        return _LINE_BREAK.split(self.text)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file, counted from 0; without a line it is the whole file."""

    source: Source
    line: int | None = None
    column: int = 0

    def __str__(self) -> str:
        place = "" if self.line is None else f":{self.line + 1}:{self.column + 1}"
        return f"{printable(self.source.name)}{place}"

    @property
    def chain(self) -> Iterator[Position]:
        """Yield the includes that have led here, the nearest first."""
        position = self.source.included_at
        while position is not None:
            yield position
            position = position.source.included_at


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    position: Position
    message: str
    is_warning: bool = False
    """Whether the file can be used all the same."""

    @property
    def kind(self) -> str:
        return "warning" if self.is_warning else "error"

    def __str__(self) -> str:
        """Return `file:line:col: error: message`, the line and a caret, and where the file is included."""
        included = "".join(f"\n    included at {position}" for position in self.position.chain)
        return f"{self.position}: {self.kind}: {self.message}{self._excerpt()}{included}"

    def _excerpt(self) -> str:
        line, column = self.position.line, self.position.column
        if line is None:
            return ""
        lines = self.position.source.lines
        text = lines[line] if line < len(lines) else ""
        start = max(0, column - MAX_SHOWN_COLUMNS // 2)
        excerpt = printable(text[start : start + MAX_SHOWN_COLUMNS])
        return f"\n    {excerpt}\n    {' ' * (column - start)}^"


class DeploymentFileError(ValueError):
    """A deployment file that can't be used, with everything that is wrong in it, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:MAX_SHOWN_PROBLEMS]]
        hidden = len(self.problems) - len(shown)
        number = "" if len(self.problems) >= MAX_PROBLEMS else f" {hidden}"
        return "\n".join([*shown, f"... and{number} more errors"] if hidden else shown)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return each problem once, in the order of the file; what is known is listed the first time only."""
    listed: set[str] = set()
    return tuple(_listed_once(problem, listed) for problem in sorted(dict.fromkeys(problems), key=_order))


def _listed_once(problem: Problem, listed: set[str]) -> Problem:
    message, _, names = problem.message.rpartition(LISTING)
    if message and names in listed:
        return replace(problem, message=message)
    if message:
        listed.add(names)
    return problem


def _order(problem: Problem) -> tuple[str, int, int]:
    position = problem.position
    return position.source.name, -1 if position.line is None else position.line, position.column


def quoted(value: object) -> str:
    """Return a value as it is named in a message: in quotes, printable and short."""
    return f"'{_short(value)}'"


def _short(value: object) -> str:
    text = str(value)
    if len(text) > MAX_QUOTED_CHARACTERS:
        text = text[: MAX_QUOTED_CHARACTERS - 3] + "..."
    return printable(text)


def suggestion(name: object, allowed: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the allowed name next to a wrong one, else the list of what is allowed."""
    names = sorted(allowed)
    close = difflib.get_close_matches(str(name)[:MAX_QUOTED_CHARACTERS], names, n=1)
    if close:
        return f", did you mean {quoted(close[0])}?"
    listed = [_short(known) for known in names[:MAX_LISTED_NAMES]]
    return f"{LISTING}{', '.join(listed)}{', ...' if len(names) > len(listed) else ''}" if names else ""

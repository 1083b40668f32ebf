"""Shows findings: for people as wide as their terminal is, for logs in lines, for programs as a document."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import IO, Any

from moorage.doctor.finding import Finding, Level, is_sound
from moorage.palette import BAD, CAUTION, GOOD
from moorage.terminal_width import width_of

STYLES = {Level.OK: GOOD, Level.WARNING: CAUTION, Level.FAILURE: BAD}
ORDER = (Level.FAILURE, Level.WARNING, Level.OK)
HEADER = ("", "WHERE", "WHAT, AND WHAT TO DO")
INDENT = 9
"""Columns of the level and the space behind it."""


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return findings for programs."""
    return {"sound": is_sound(findings), "findings": [_plain(finding) for finding in findings]}


def _plain(finding: Finding) -> dict[str, str]:
    return {**asdict(finding), "level": finding.level.value}


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings as a JSON document."""
    return json.dumps(document(findings), indent=2)


def show(findings: Sequence[Finding], stream: IO[str] | None = None) -> None:
    """Print findings, the worst first, and one line that sums them up. All of it is text, never markup."""
    stream = stream or sys.stdout
    worst_first = sorted(findings, key=lambda each: ORDER.index(each.level))
    width = width_of(stream)
    if stream.isatty():
        _draw(worst_first, stream, width)
    else:
        stream.writelines(f"{line}\n" for _, line in lines(worst_first, width))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    total = f"failures: {counts[Level.FAILURE]}, warnings: {counts[Level.WARNING]}, in order: {counts[Level.OK]}"
    stream.write(f"{total}\n")
    stream.flush()


def _draw(findings: Sequence[Finding], stream: IO[str], width: float) -> None:
    from rich.console import Console  # a terminal is there: the time to import it is not noticed
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for level, line in lines(findings, width):
        text = Text(line)
        if level is not None:
            text.stylize(STYLES[level], 0, len(level.value))
        console.print(text, soft_wrap=True)


def lines(findings: Sequence[Finding], width: float) -> list[tuple[Level | None, str]]:
    """Return lines, each with the level that it begins with: in columns, or below each other where these are too wide.

    No path, address or command is cut; what is longer than a terminal's line goes on in the next.

    Args:
        width: of the terminal; math.inf where there is none, so that a line stays a line.
    """
    where_width = max(len(HEADER[1]), *(len(finding.where) for finding in findings), 0)
    table = [line for finding in findings for line in _in_columns(finding, where_width)]
    if max((len(line) for _, line in table), default=0) > width:
        return [line for finding in findings for line in _below_each_other(finding, int(width))]
    return [(None, f"{HEADER[0]:<{INDENT}}{HEADER[1]:<{where_width}}  {HEADER[2]}"), *table]


def _in_columns(finding: Finding, where_width: int) -> Iterator[tuple[Level | None, str]]:
    yield finding.level, f"{finding.level.value:<{INDENT}}{finding.where:<{where_width}}  {finding.what}"
    if finding.remedy:
        yield None, f"{'':<{INDENT + where_width}}  -> {finding.remedy}"


def _below_each_other(finding: Finding, width: int) -> Iterator[tuple[Level | None, str]]:
    where = f"{finding.level.value:<{INDENT}}{finding.where}"
    beside = f"{where}  {finding.what}"
    fits = len(beside) <= width
    yield finding.level, beside if fits else where
    for text in ("" if fits else finding.what, f"-> {finding.remedy}" if finding.remedy else ""):
        wrapped = textwrap.wrap(text, max(width - INDENT, INDENT), break_long_words=False, break_on_hyphens=False)
        yield from ((None, " " * INDENT + line) for line in wrapped)

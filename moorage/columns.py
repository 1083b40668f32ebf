"""Lines for people that are no wider than their terminal: tables, and text that goes on below itself.

Nothing is cut: a word, an id, a path or a command in backticks that is longer than a line goes over its end.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

GAP = "  "
"""Between two columns."""
DEEPER = 2
"""Columns by which text goes on below its first line."""
MOST_LINES = 4
"""Of a row in columns; one that would be higher is a paragraph."""

_BULLET = re.compile(r"\s*(?:\d+\. |-> |[-+~=?] )?")
_LABEL = re.compile(r"\s*\S.*?\s{2,}(?=\S)")
"""What is in front of the text of a line like `gas     at most 1`."""
_COMMAND = re.compile(r"`[^`]*`")
_UNIT = re.compile(
    r"(?<=\d) (?=[A-Z]|(?:blocks?|bytes|seconds?|minutes?|hours?|days?|ms|s|min|h|d|nodes?)\b)|(?<=\bblock) (?=\d)"
    r"|(?<=\bcode) (?=\d)|(?<=\bwithin) (?=\d)|(?<=\d[dhm]) (?=\d+[hms]\b)"
)
"""The space in `1.5 MOOR`, `10 blocks`, `block 7`, `code 3`, `within 20` and `1h 15m`."""
_NO_SPACE = "\0"
"""Stands for a space that is no place to break a line at."""

Row = tuple[str, ...]


def columns(table: Sequence[Row]) -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))] if table else []
    return [_aligned(row, widths) for row in table]


def fitted(table: Sequence[Row], width: float) -> list[str]:
    """Return rows below a header as aligned columns; where these are too wide, with cells of several lines.

    Where that is too narrow as well, or too high, each row is a paragraph that has the header's words in it.

    Args:
        table: the header and the rows.
        width: of the terminal; math.inf where there is none.
    """
    lines = columns(table)
    if max(map(len, lines), default=0) <= width:
        return lines
    header, *rows = table
    widths = _shrunk(table, int(width))
    if widths is not None:
        blocks = [_block(row, widths) for row in table]
        if max(map(len, blocks)) <= MOST_LINES:
            return [line for block in blocks for line in block]
    return [line for row in rows for line in _paragraph(header, row, int(width))]


def wrapped(text: str, width: float) -> list[str]:
    """Return a line as lines that fit; those below the first are indented to where its text begins.

    Args:
        text: one line.
        width: of the terminal; math.inf where there is none.
    """
    if len(text) <= width:
        return [text]
    return _broken(text, int(width), " " * _indent(text, int(width)))


def _indent(text: str, width: int) -> int:
    label = _LABEL.match(text)
    if label is not None and label.end() <= width // 2:
        return label.end()
    bullet = _BULLET.match(text)
    end = bullet.end() if bullet is not None else 0
    return end if text[:end].strip() else end + DEEPER


def _broken(text: str, width: int, indent: str = "") -> list[str]:
    """Return lines broken between words; a command stays in one piece where it can, so that it can be copied."""
    room = max(width - len(indent), 1)
    glued = _COMMAND.sub(lambda found: _glued(found[0]) if len(found[0]) <= room else found[0], text)
    lines = textwrap.wrap(
        _UNIT.sub(_NO_SPACE, glued),
        max(width, 1),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_SPACE, " ") for line in lines]


def _glued(text: str) -> str:
    return text.replace(" ", _NO_SPACE)


def _aligned(row: Row, widths: Sequence[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _shrunk(table: Sequence[Row], width: int) -> list[int] | None:
    """Return widths of columns that fit together, taken from the widest ones; None if words are too long for that."""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    least = [max(_longest_word(row[index]) for row in table) for index in range(len(table[0]))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width:
        wider = [(size, index) for index, size in enumerate(widths) if size > least[index]]
        if not wider:
            return None
        widths[max(wider)[1]] -= 1
    return widths


def _longest_word(cell: str) -> int:
    return max(map(len, _UNIT.sub(_NO_SPACE, cell).split()), default=0)


def _block(row: Row, widths: Sequence[int]) -> list[str]:
    """Return a row as lines, its cells side by side."""
    cells = [_broken(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    height = max(map(len, cells))
    padded = [[*lines, *[""] * (height - len(lines))] for lines in cells]
    return [_aligned(line, widths) for line in zip(*padded, strict=True)]


def _paragraph(header: Row, row: Row, width: int) -> Iterator[str]:
    """Yield the first cell on a line of its own, and the others below it, each behind the word of its column."""
    yield row[0]
    line = ""
    for label, cell in zip(header[1:], row[1:], strict=True):
        named = f"{label.lower()}: {cell}" if label else cell
        if not cell:
            continue
        if line and len(line) + len(GAP) + len(named) > width:
            yield line
            line = ""
        line = f"{line}{GAP}{named}"
        if len(line) > width:
            yield from wrapped(line, width)
            line = ""
    if line:
        yield line

"""Lays rows out for a terminal: columns for what is short, the rest beside or below them, wherever it fits whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.core.report import OVERDUE, UPDATE_FAILED, UPDATING, USED_UP, Row
from moorage.columns import wrapped
from moorage.palette import BAD, CAUTION, GOOD

HEADER = Row("GROUP", "STATE", "PROVIDER", "PRICE", "PAID FOR")
INDENT = 6
STYLES = {
    "leased": GOOD,
    "running": GOOD,
    "done": GOOD,
    "lowest": GOOD,
    "up": GOOD,
    "failed": BAD,
    UPDATE_FAILED: BAD,
    "down": BAD,
    "stale, not replaced": BAD,
    "restarting": CAUTION,
    "waiting": CAUTION,
    UPDATING: CAUTION,
    OVERDUE: CAUTION,
    USED_UP: CAUTION,
}
"""By state."""
DETAILS_OF_WORKLOADS = "    "
"""How a row begins that is below a workload."""


@dataclass(frozen=True, slots=True)
class StyledLine:
    text: str
    style: str = ""
    start: int = 0
    """Where what has the style begins."""
    end: int | None = None
    """Where it ends; None: with the line."""


def laid_out(rows: tuple[Row, ...], width: float, height: float) -> tuple[StyledLine, ...]:
    """Return lines no wider than the terminal; connections are left out where there would be more than it has."""
    for shown in (rows, _without_connections(rows, "up"), _without_connections(rows)):
        lines = tuple(_lines(shown, width))
        if len(lines) <= height:
            break
    return lines


def _without_connections(rows: tuple[Row, ...], state: str | None = None) -> tuple[Row, ...]:
    return tuple(row for row in rows if not (_is_connection(row) and state in (None, row.state)))


def _lines(rows: tuple[Row, ...], width: float) -> Iterator[StyledLine]:
    own, connections = _widths([row for row in rows if not _is_connection(row)]), _widths(rows)
    for row in (HEADER, *rows):
        widths = connections if _is_connection(row) else own
        aligned = "  ".join(cell.ljust(size) for cell, size in zip(_cells(row), widths, strict=True)).rstrip()
        first, *below = _with_detail(aligned, row.detail, width)
        yield StyledLine(first, "bold") if row is HEADER else _with_state(first, row, widths[0] + 2)
        yield from map(StyledLine, below)


def _is_connection(row: Row) -> bool:
    return row.group.startswith(DETAILS_OF_WORKLOADS)


def _widths(rows: Sequence[Row]) -> list[int]:
    """Return how wide columns are; names of connections are long, and would make room that nothing else needs."""
    table = [_cells(row) for row in (HEADER, *rows)]
    return [max(len(line[index]) for line in table) for index in range(len(table[0]))]


def _with_state(text: str, row: Row, start: int) -> StyledLine:
    """Return a line in which the state has its colour, and nothing else."""
    style = STYLES.get(row.state, "")
    return StyledLine(text, style, start, start + len(row.state)) if style else StyledLine(text)


def _cells(row: Row) -> tuple[str, ...]:
    return row.group, row.state, row.provider, row.price, row.runway


def _with_detail(aligned: str, detail: str, width: float) -> list[str]:
    if not detail:
        return [aligned] if aligned else []
    if aligned and len(aligned) + 2 + len(detail) <= width:
        return [f"{aligned}  {detail}"]
    below = wrapped(" " * INDENT + detail, width)
    return [aligned, *below] if aligned else below

"""Shows findings: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from moorage.doctor.finding import Finding, Level, is_sound

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "bold red"}
ORDER = (Level.FAILURE, Level.WARNING, Level.OK)
NARROWEST = 120
WHERE_WIDTH = 36


def as_json(findings: Sequence[Finding]) -> str:
    """Return findings as a JSON document."""
    return json.dumps({"sound": is_sound(findings), "findings": [asdict(finding) for finding in findings]}, indent=2)


def show(findings: Sequence[Finding], stream: IO[str] | None = None) -> None:
    """Print a table, the worst first, and one line that sums it up. All of it is text, never markup."""
    console = Console(file=stream, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, NARROWEST)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("WHERE", max_width=WHERE_WIDTH, overflow="fold")
    table.add_column("WHAT, AND WHAT TO DO", overflow="fold")
    for finding in sorted(findings, key=lambda each: ORDER.index(each.level)):
        level = Text(finding.level.value, STYLES[finding.level])
        remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
        table.add_row(level, Text(finding.where), Text(f"{finding.what}{remedy}"))
    console.print(table)
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    total = f"failures: {counts[Level.FAILURE]}, warnings: {counts[Level.WARNING]}, in order: {counts[Level.OK]}"
    console.print(total, markup=False)

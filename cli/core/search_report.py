"""What a search has found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cli.core.candidates import Answer, Verdict
from cli.core.report import counted
from moorage import regions
from moorage.money import Money
from moorage.types import Group

HEADER = ("GROUP", "PROVIDER", "REGION", "BIDS", "PRICE", "WHY")
FOOTNOTE = "prices follow from advertised ones, disk not included; own rules of a provider are not on chain"


def registered(number: int, block_number: int) -> str:
    """Return the line above the table."""
    return f"{counted(number, 'provider')} {'is' if number == 1 else 'are'} registered at block {block_number}"


def search_rows(verdicts: Sequence[Verdict], money: Money) -> list[tuple[str, ...]]:
    """Return the rows of a table below HEADER."""
    return [_row(each, money) for each in verdicts]


def sums(groups: Sequence[Group], verdicts: Sequence[Verdict]) -> list[str]:
    """Return lines with what it comes to for each group."""
    lines = []
    for group in groups:
        mine = [each for each in verdicts if each.group == group.name]
        counts, head = Counter(each.answer for each in mine), f"group {group.name}:"
        lines.append(
            f"{head} {counts[Answer.YES]} would bid, {counts[Answer.MAYBE]} may, {counts[Answer.NO]} would not"
        )
        if not counts[Answer.YES] and not counts[Answer.MAYBE]:
            lines.append(f"{head} nobody would bid as things are: an order stays open until somebody does")
            lines += _elsewhere(group, mine)
        elif not counts[Answer.YES]:
            lines.append(f"{head} only an order shows it; what it prepays comes back if nobody takes it")
    return [*lines, f"note: {FOOTNOTE}"]


def _elsewhere(group: Group, verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line with the regions that have providers if none is where the group is to be."""
    if not verdicts or any(group.regions & each.region for each in verdicts):
        return []
    wanted, there = regions.describe([group.regions]), regions.describe(sorted({each.region for each in verdicts}))
    return [f"group {group.name}: no provider is in {wanted}; there are some in {there}: change its `region`"]


def _row(verdict: Verdict, money: Money) -> tuple[str, ...]:
    region = regions.describe([verdict.region])
    return verdict.group, str(verdict.provider), region, verdict.answer.value, _price(verdict, money), _why(verdict)


def _price(verdict: Verdict, money: Money) -> str:
    if verdict.lowest is None or verdict.highest is None:
        return "unknown"
    lowest, highest = money.per_hour(verdict.lowest), money.per_hour(verdict.highest)
    return highest if lowest == highest else f"{lowest.split()[0]} to {highest}"


def _why(verdict: Verdict) -> str:
    return "; ".join(verdict.reasons)


def search_document(block_number: int, verdicts: Sequence[Verdict], money: Money) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "block": block_number,
        "token": money.symbol,
        "candidates": [_document(each, money) for each in verdicts],
        "note": FOOTNOTE,
    }


def _document(verdict: Verdict, money: Money) -> dict[str, Any]:
    lowest, highest = verdict.lowest, verdict.highest
    return {
        "group": verdict.group,
        "provider": verdict.provider,
        "region": regions.describe([verdict.region]),
        "would_bid": verdict.answer.value,
        "lowest_price_per_hour": money.hourly_number(lowest) if lowest is not None else None,
        "highest_price_per_hour": money.hourly_number(highest) if highest is not None else None,
        "reasons": list(verdict.reasons),
    }

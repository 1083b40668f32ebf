"""What may differ from run to run: values that depend on chance or time. Words, and what is agreed, may not."""

from __future__ import annotations

import re
from itertools import groupby

MASKS = (
    # ids and hashes, addresses, beginnings of ids; of the same length
    (r"0x[0-9a-fA-F]{64,}", "0x<bytes>"),
    (r"0x[0-9a-fA-F]{40}\b", "0x<address>"),
    (r"0x[0-9a-fA-F]{8}\b", "0x<id>"),
    # heights and spans of blocks, chains, ports
    (r"\bblock( |s |\": )\d+", r"block\1<n>"),
    (r"\b\d+ (of \d+ )?block(s?)\b", "<n> blocks"),
    (r"\"(\w*block\w*)\": \d+", r'"\1": <n>'),
    (r"\b0x[0-9a-fA-F]{12}\b", "0x<id>"),
    (r"\bchain( |_id\": )\d+", r"chain\1<n>"),
    (r"deployments/\d+\.json", "deployments/<n>.json"),
    (r"(://[\w.-]+):\d+", r"\1:<port>"),
    (r"\b(within|final blocks +up to) \d+\b", r"\1 <n>"),
    (r"^\d+\. ", "<n>. "),
    (r"\btransaction number \d+", "transaction number <n>"),
    # how long something lasts or has been, in words: 1h 15m, 3s, 0.9 h
    (r"(?<![\w.])(\d+[dhms] )*\d+[dhms]\b(?! cpu)", "<time>"),
    (r"(?<![\w.])\d+\.\d h\b", "<time>"),
    (r"\"runway_hours\": \"[\d.]+\"", '"runway_hours": <time>'),
    (r"[+-]\d+ s from", "<time> from"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?", "<when>"),
    (r"\b\d{1,2} [A-Z][a-z]{2} \d{4} [\d:.]+", "<when>"),
    # amounts that depend on when something happens have many decimals; those that are agreed have few
    (r"(?<![\w.])\d+\.\d{3,}\b", "<amount>"),
    # an address is told before the way to it is clear
    (r"(workload \S+ running at [^\s:]+://[^\s:]+:<port>): .*", r"\1"),
    (r"\bearned [\d.]+ (\S+ by)", r"earned <amount> \1"),
    (r"^gas [\d,]+, now .* of the chain's coin", "gas <gas> of the chain's coin"),
)
COMPILED = tuple((re.compile(pattern), mask) for pattern, mask in MASKS)
PASSING = re.compile(r"^block <n> (waiting for |workload \S+ ((?!running\b)|running: .*(is tried|not up|gateway)))")
"""What is waited for, and what workloads go through until they run as they are to: who looks more often sees more."""
UNORDERED = re.compile(r"^block <n> (order 0x<id>…: provider \d+ bids|workload \S+ running|manifest delivered)")
"""What several do at the same time, and some of it once more."""
SPACES = re.compile(r"\s+")
"""Columns are as wide as what stands in them, and lines end where the terminal does: what is below a line goes on."""


def masked(output: str) -> list[str]:
    """Return an output's lines, each with what is indented below it, with what may differ replaced."""
    lines = [_line(line) for line in re.split(r"\n(?=\S)", output.strip("\n"))]
    kept = [line for line in lines if not PASSING.match(line)]
    runs = groupby(kept, key=lambda line: bool(UNORDERED.match(line)))
    return [line for is_unordered, run in runs for line in (sorted(set(run)) if is_unordered else run)]


def _line(line: str) -> str:
    line = SPACES.sub(" ", line)
    for pattern, mask in COMPILED:
        line = pattern.sub(mask, line)
    return line.rstrip()


def is_same(one: str, other: str) -> bool:
    """Return whether two outputs differ only in what may.

    The words of a line may stand in another order: where cells are broken, one in the next column may come between.
    """
    return [set(line.split()) for line in masked(one)] == [set(line.split()) for line in masked(other)]

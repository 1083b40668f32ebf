"""Evaluates the part of PromQL that the alerts use, over samples that tests make; what it does not know is an error.

Prometheus' rules: a range has the samples of its last minutes, an instant the newest of the last five; comparisons keep
the left side; `and` and `or` join by labels; an alert fires when its expression has held for as long as `for` says.
"""

from __future__ import annotations

import math
import operator
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
NAME = "__name__"
STALE_SECONDS = 300.0
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
TOKEN = re.compile(
    r"""\s*(?:(?P<duration>\[\d+[smhd]\])|(?P<number>\d+(?:\.\d+)?)|(?P<text>"[^"\\]*"|'[^'\\]*')
    |(?P<word>[a-zA-Z_][a-zA-Z0-9_]*)|(?P<sign>==|!=|>=|<=|=~|!~|[-+*/<>=(){},]))""",
    re.VERBOSE,
)
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class PromQlError(Exception):
    """An expression that this evaluator does not know."""


@dataclass
class History:
    """Samples by series, the oldest first."""

    series: dict[Labels, list[tuple[float, float]]] = field(default_factory=dict)
    by_name: dict[str, list[Labels]] = field(default_factory=dict)

    def add(self, time: float, samples: Mapping[Labels, float]) -> None:
        """Take in what was scraped at a time, which has to grow."""
        for labels, value in samples.items():
            if labels not in self.series:
                self.series[labels] = []
                self.by_name.setdefault(dict(labels)[NAME], []).append(labels)
            self.series[labels].append((time, value))

    def window(self, labels: Labels, start: float, end: float) -> list[tuple[float, float]]:
        """Return the samples after one time, up to another."""
        samples = self.series[labels]
        first, last = (bisect_right(samples, edge, key=lambda sample: sample[0]) for edge in (start, end))
        return samples[first:last]


def evaluate(expression: str, history: History, now: float) -> Vector:
    """Return the value of an expression at a time."""
    parser = _Parser(_tokens(expression), history, now)
    value = parser.logical()
    if parser.tokens:
        raise PromQlError(f"not understood from {parser.tokens[0][1]!r} on: {expression}")
    if not isinstance(value, dict):
        raise PromQlError(f"a number and no series: {expression}")
    return value


def seconds(duration: str) -> float:
    """Return a duration such as 15m."""
    if not re.fullmatch(r"\d+[smhd]", duration):
        raise PromQlError(f"no duration: {duration}")
    return float(int(duration[:-1]) * UNITS[duration[-1]])


def fires(rule: Mapping[str, Any], history: History, times: Sequence[float]) -> Iterator[float]:
    """Yield the times at which an alert fires; it is evaluated at all of these times, in order."""
    since: dict[Labels, float] = {}
    for now in times:
        held = evaluate(rule["expr"], history, now).keys()
        since = {labels: since.get(labels, now) for labels in held}
        if any(now - begun >= seconds(rule["for"]) for begun in since.values()):
            yield now


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while place < len(expression.rstrip()):
        match = TOKEN.match(expression, place)
        if match is None or match.lastgroup is None:
            raise PromQlError(f"not understood: {expression[place:]}")
        found.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return found


class _Parser:
    """Reads and computes at once, by Prometheus' precedence: or, and, comparison, arithmetic."""

    def __init__(self, tokens: list[tuple[str, str]], history: History, now: float) -> None:
        self.tokens = tokens
        self._history = history
        self._now = now

    def logical(self) -> Any:
        left = self._conjunction()
        while self._take("or"):
            right = self._conjunction()
            known = {_key(labels, None) for labels in left}
            left |= {labels: value for labels, value in right.items() if _key(labels, None) not in known}
        return left

    def _conjunction(self) -> Any:
        left = self._comparison()
        while self._take("and"):
            on = self._on()
            right = {_key(labels, on) for labels in self._comparison()}
            left = {labels: value for labels, value in left.items() if _key(labels, on) in right}
        return left

    def _comparison(self) -> Any:
        left = self._quotient()
        sign = next((each for each in COMPARE if self._take(each)), None)
        if sign is None:
            return left
        compare, right = COMPARE[sign], self._quotient()
        if not isinstance(left, dict):
            raise PromQlError("a number on the left of a comparison")
        if isinstance(right, dict):
            by_key = {_key(labels, None): value for labels, value in right.items()}
            pairs = [(labels, value, by_key.get(_key(labels, None))) for labels, value in left.items()]
            return {labels: value for labels, value, other in pairs if other is not None and compare(value, other)}
        return {labels: value for labels, value in left.items() if compare(value, right)}

    def _quotient(self) -> Any:
        left = self._operand()
        if not self._take("/"):
            return left
        on = self._on()
        right = self._operand()
        divisors = {_key(labels, on): value for labels, value in right.items()}
        if len(divisors) != len(right):
            raise PromQlError("several series for one on the right of a division")
        pairs = {labels: divisors[_key(labels, on)] for labels in left if _key(labels, on) in divisors}
        return {_key(labels, on): _divided(left[labels], divisor) for labels, divisor in pairs.items()}

    def _operand(self) -> Any:
        kind, text = self._next()
        if kind == "number":
            return float(text)
        if text == "(":
            inner = self.logical()
            self._expect(")")
            return inner
        if kind != "word":
            raise PromQlError(f"not understood: {text!r}")
        if text == "sum":
            return self._sum()
        if text in FUNCTIONS:
            self._expect("(")
            result = FUNCTIONS[text](self._range())
            self._expect(")")
            return result
        if text == "abs":
            self._expect("(")
            inner = self.logical()
            self._expect(")")
            return {_key(labels, None): abs(value) for labels, value in inner.items()}
        if self.tokens and self.tokens[0][1] == "(":
            raise PromQlError(f"unknown function {text}")
        return self._instant(text)

    def _sum(self) -> Vector:
        self._expect("by")
        by = self._names()
        self._expect("(")
        inner = self.logical()
        self._expect(")")
        total: Vector = {}
        for labels, value in inner.items():
            total[_key(labels, by)] = total.get(_key(labels, by), 0.0) + value
        return total

    def _instant(self, name: str) -> Vector:
        found = {}
        for labels in self._matching(name):
            samples = self._history.window(labels, self._now - STALE_SECONDS, self._now)
            if samples:
                found[labels] = samples[-1][1]
        return found

    def _range(self) -> dict[Labels, list[tuple[float, float]]]:
        _, name = self._next()
        matching = self._matching(name)
        kind, text = self._next()
        if kind != "duration":
            raise PromQlError(f"a range belongs after {name}, not {text!r}")
        start = self._now - seconds(text[1:-1])
        return {_key(labels, None): self._history.window(labels, start, self._now) for labels in matching}

    def _matching(self, name: str) -> list[Labels]:
        matchers = []
        if self._take("{"):
            while not self._take("}"):
                (_, label), (_, sign), (kind, value) = self._next(), self._next(), self._next()
                if kind != "text" or sign not in ("=", "!=", "=~", "!~"):
                    raise PromQlError(f"no selector: {label}{sign}{value}")
                matchers.append((label, sign, value[1:-1]))
                self._take(",")
        named = self._history.by_name.get(name, [])
        return [labels for labels in named if all(_fits(dict(labels), *each) for each in matchers)]

    def _on(self) -> frozenset[str] | None:
        return self._names() if self._take("on") else None

    def _names(self) -> frozenset[str]:
        self._expect("(")
        names = {self._next()[1]}
        while self._take(","):
            names.add(self._next()[1])
        self._expect(")")
        return frozenset(names)

    def _take(self, text: str) -> bool:
        if self.tokens and self.tokens[0][1] == text:
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise PromQlError(f"{text!r} is missing")

    def _next(self) -> tuple[str, str]:
        if not self.tokens:
            raise PromQlError("it ends too soon")
        return self.tokens.pop(0)


def _key(labels: Labels, on: frozenset[str] | None) -> Labels:
    """Return the labels that count: all but the name, or those that are listed."""
    return frozenset((name, value) for name, value in labels if (name != NAME if on is None else name in on))


def _fits(labels: Mapping[str, str], label: str, sign: str, wanted: str) -> bool:
    value = labels.get(label, "")
    is_equal = bool(re.fullmatch(wanted, value)) if "~" in sign else value == wanted
    return is_equal is not sign.startswith("!")


def _divided(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    return left / right


def _increase(ranges: dict[Labels, list[tuple[float, float]]]) -> Vector:
    """Return how much counters have grown, a restart counted; without Prometheus' stretching to the whole range."""
    return {
        labels: sum(max(0.0, new - old) if new >= old else new for (_, old), (_, new) in pairwise(samples))
        for labels, samples in ranges.items()
        if len(samples) > 1
    }


def _delta(ranges: dict[Labels, list[tuple[float, float]]]) -> Vector:
    return {labels: each[-1][1] - each[0][1] for labels, each in ranges.items() if len(each) > 1}


def _least(ranges: dict[Labels, list[tuple[float, float]]]) -> Vector:
    return {labels: min(value for _, value in samples) for labels, samples in ranges.items() if samples}


FUNCTIONS = {"increase": _increase, "delta": _delta, "min_over_time": _least}

"""The page as steps: each `sh` block is a step, and the `text` block right behind it is all that it prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bytecode import ROOT

PAGE = ROOT / "docs" / "tour.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[;&|(!])\s*(?:\w+=\S*\s+|timeout \S+\s+)*moorage((?: [a-z][a-z-]*)*)", re.MULTILINE)
"""The program where a shell would run it, with the words that may name a command."""


class PageError(Exception):
    """The page is not one that could be executed; the message says which line."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to run."""

    line: int
    """Of the page, from 1."""
    command: str
    output: str
    """What the page says that it prints."""
    output_span: tuple[int, int]
    """Where that stands in the page's text."""

    @property
    def runs(self) -> tuple[tuple[str, ...], ...]:
        """The words behind each `moorage`, up to the first that can't name a command."""
        return tuple(tuple(words.split()) for words in COMMAND.findall(self.command))


def steps(text: str) -> tuple[Step, ...]:
    """Return what a page has to be run.

    Raises:
        PageError: a command stands without its output, or an output without its command.
    """
    found: list[Step] = []
    fences = list(FENCE.finditer(text))
    at = 0
    while at < len(fences):
        fence, line = fences[at], text.count("\n", 0, fences[at].start()) + 1
        at += 1
        match fence[1]:
            case "sh":
                output = fences[at] if at < len(fences) else None
                if output is None or output[1] != "text" or text[fence.end() : output.start()].strip():
                    raise PageError(f"line {line}: a command without its output in a `text` block right behind it")
                found.append(Step(line, fence[2].strip(), output[2], output.span(2)))
                at += 1
            case "text":
                raise PageError(f"line {line}: an output without its command in an `sh` block right before it")
            case "console" | "yaml":
                pass
            case other:
                raise PageError(f"line {line}: a block of kind {other!r}: sh, text, console and yaml are known")
    return tuple(found)


def written_anew(text: str, outputs: Mapping[int, str]) -> str:
    """Return a page with other outputs, by the lines of their steps."""
    for step in reversed(steps(text)):
        if step.line in outputs:
            first, last = step.output_span
            text = text[:first] + outputs[step.line] + text[last:]
    return text


def missing(found: Sequence[Step], commands: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the commands that no step runs."""
    run = {words[:length] for step in found for words in step.runs for length in range(1, len(words) + 1)}
    return [" ".join(command) for command in commands if command not in run]


def read(path: Path = PAGE) -> str:
    return path.read_text(encoding="utf-8")

"""YAML 1.2 text as a tree of nodes that know their position, with limits on everything that makes a small text large.

Built from the parser's events: nothing is constructed, tags are refused, and scalars follow the core schema of
YAML 1.2, so that `no`, `22:22` and dates are text. A number with a point becomes a Decimal; there are no floats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from moorage.deployment_file.problems import DeploymentFileError, Position, Problem, Source, quoted
from moorage.deployment_file.yaml_words import explained

MAX_BYTES = 250_000
MAX_LINES = 50_000
MAX_WORDS = 50_000  # the scanner looks at each
MAX_DIRECTIVES = 10
MAX_LINE_CHARACTERS = 20_000  # the scanner is quadratic in the length of a tag or an anchor
MAX_DEPTH = 40
MAX_NODES = 10_000
MAX_ALIASES = 100
MAX_ANCHORS = 100
MAX_NUMBER_CHARACTERS = 80

_AMBIGUOUS = re.compile("[\x85\u2028\u2029\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""A byte order mark inside the text, what only YAML 1.1, and still the scanner, takes for the end of a line, and what
makes an editor show the text in another order than it is read (CVE-2021-42574)."""
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    position: Position
    text: str
    """The value as it was written, without quotes and escapes."""
    is_plain: bool
    """Whether it stood without quotes, so that it may be a number, true, false or null."""

    @property
    def value(self) -> str | int | Decimal | bool | None:
        return plain_value(self.text) if self.is_plain else self.text


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    position: Position
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    position: Position
    entries: dict[str, tuple[Position, Node]]
    """Key -> where the key stands, and its value."""


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Budget:
    """How much more all files together may have."""

    characters: int = MAX_BYTES
    nodes: int = MAX_NODES

    @property
    def is_exceeded(self) -> bool:
        return self.characters < 0 or self.nodes < 0


def parse(source: Source, budget: Budget | None = None) -> Node:
    """Return the tree of a text that holds one YAML document.

    Args:
        budget: what this file may have, and takes from the files that are read with it after this one.

    Raises:
        DeploymentFileError: with the first thing that is not YAML 1.2, or beyond a limit.
    """
    budget = budget or Budget()
    _check_text(source, budget)
    events = _Events(source)
    events.expect(StreamStartEvent)
    start = events.take()
    if not isinstance(start, DocumentStartEvent):
        _fail(Position(source, 0), "the file is empty")
    if start.version not in (None, (1, 2)):
        _fail(events.position, "only YAML 1.2 is supported")
    root = _Composer(events, budget).node(events.take(), depth=1)
    events.expect(DocumentEndEvent)
    if not isinstance(events.take(), StreamEndEvent):
        _fail(events.position, "a second document: a deployment file is one document")
    return root


def plain_value(text: str) -> str | int | Decimal | bool | None:
    """Return what text without quotes means."""
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    return _number(text)


def _children(node: Node) -> Iterator[Node]:
    match node:
        case Sequence():
            yield from node.items
        case Mapping():
            yield from (child for _, child in node.entries.values())


def _check_text(source: Source, budget: Budget) -> None:
    if len(source.text) > MAX_BYTES:
        _fail(Position(source), f"the file is larger than {MAX_BYTES} bytes")
    budget.characters -= len(source.text)
    if budget.characters < 0:
        _fail(Position(source), f"with this file all are larger than {MAX_BYTES} bytes together")
    if len(source.lines) > MAX_LINES:
        _fail(Position(source), f"the file has more than {MAX_LINES} lines")
    if len(source.text.split()) > MAX_WORDS:
        _fail(Position(source), f"the file has more than {MAX_WORDS} words")
    if sum(line.startswith("%") for line in source.lines) > MAX_DIRECTIVES:
        _fail(Position(source), f"more than {MAX_DIRECTIVES} lines begin with %")
    for number, line in enumerate(source.lines):
        if len(line) > MAX_LINE_CHARACTERS:
            _fail(Position(source, number), f"a line of more than {MAX_LINE_CHARACTERS} characters")
        if match := _AMBIGUOUS.search(line):
            message = f"the character U+{ord(match[0]):04X} has to be an escape in double quotes"
            _fail(Position(source, number, match.start()), message)


def _fail(position: Position, message: str) -> NoReturn:
    raise DeploymentFileError([Problem(position, message)])


def _number(text: str) -> str | int | Decimal:
    if len(text) > MAX_NUMBER_CHARACTERS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    try:
        return Decimal(text) if _DECIMAL.fullmatch(text) else text
    except ArithmeticError:  # an exponent beyond all that there is
        return text


class _Events:
    """The parser's events, with each of its errors as a problem at its position."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.position = Position(source, 0)
        self._events: Iterator[Any] = YAML(typ="safe", pure=True).parse(source.text)

    def take(self) -> Event:
        try:
            event: Event = next(self._events)
        except MarkedYAMLError as error:
            reason, mark = explained(error)
            at = Position(self.source, mark.line, mark.column) if mark else self.position
            _fail(at, f"not YAML: {reason}")
        except ReaderError as error:
            _fail(self._at_character(error.position), f"not YAML: the character U+{error.character:04X}")
        except AssertionError as error:  # the library's way to refuse a version that it does not know
            known = "version" in str(error)
            _fail(self.position, "only YAML 1.2 is supported" if known else "not YAML from here on")
        except (YAMLError, ValueError, OverflowError) as error:
            _fail(self.position, f"not YAML from here on: {quoted(error)}")
        self.position = Position(self.source, event.start_mark.line, event.start_mark.column)
        return event

    def expect(self, kind: type[Event]) -> None:
        if not isinstance(self.take(), kind):
            _fail(self.position, "not YAML: something is out of place")

    def _at_character(self, index: int) -> Position:
        before = Source(self.source.name, self.source.text[:index]).lines
        return Position(self.source, len(before) - 1, len(before[-1]))


class _Composer:
    """Puts the nodes together; an alias is the node that it names, not a copy of it."""

    def __init__(self, events: _Events, budget: Budget) -> None:
        self._events = events
        self._budget = budget
        self._anchors: dict[str, Node] = {}
        self._alias_count = 0

    def node(self, event: Any, depth: int) -> Node:
        position = self._events.position
        self._check_limits(position, depth)
        if isinstance(event, AliasEvent):
            return self._aliased(event, position, depth)
        if getattr(event, "tag", None) is not None:
            _fail(position, f"tags such as {quoted(event.tag)} are not supported")
        composed = self._composed(event, position, depth)
        if event.anchor is not None:
            self._name(event.anchor, composed)
        return composed

    def _name(self, anchor: str, node: Node) -> None:
        self._anchors[anchor] = node
        if len(self._anchors) > MAX_ANCHORS:
            _fail(node.position, f"more than {MAX_ANCHORS} anchors")

    def _check_limits(self, position: Position, depth: int) -> None:
        self._budget.nodes -= 1
        if self._budget.nodes < 0:
            _fail(position, f"more than {MAX_NODES} values in all files together, aliases written out")
        if depth > MAX_DEPTH:
            _fail(position, f"nested deeper than {MAX_DEPTH} levels")

    def _aliased(self, event: Any, position: Position, depth: int) -> Node:
        self._alias_count += 1
        if self._alias_count > MAX_ALIASES:
            _fail(position, f"more than {MAX_ALIASES} aliases")
        if event.anchor not in self._anchors:
            _fail(position, f"the alias {quoted(event.anchor)} has no anchor before it")
        self._count_copy(self._anchors[event.anchor], position, depth)
        return self._anchors[event.anchor]

    def _count_copy(self, node: Node, position: Position, depth: int) -> None:
        """Hold what an alias stands for against the limits as if it were written out."""
        for child in _children(node):
            self._check_limits(position, depth + 1)
            self._count_copy(child, position, depth + 1)

    def _composed(self, event: Event, position: Position, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            return self._scalar(event, position)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(position, depth)
        if isinstance(event, MappingStartEvent):
            return self._mapping(position, depth)
        _fail(position, "not YAML: something is out of place")

    def _scalar(self, event: ScalarEvent, position: Position) -> Scalar:
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in event.value):
            _fail(position, "a NUL or half a character (a surrogate) in the text")
        return Scalar(position, event.value, is_plain=event.style is None)

    def _sequence(self, position: Position, depth: int) -> Sequence:
        items = []
        while not isinstance(event := self._events.take(), SequenceEndEvent):
            items.append(self.node(event, depth + 1))
        return Sequence(position, tuple(items))

    def _mapping(self, position: Position, depth: int) -> Mapping:
        entries: dict[str, tuple[Position, Node]] = {}
        while not isinstance(event := self._events.take(), MappingEndEvent):
            key_position = self._events.position
            key = self._key(self.node(event, depth + 1), key_position)
            if key in entries:
                _fail(key_position, f"the key {quoted(key)} stands twice, first in line {_line(entries[key][0])}")
            entries[key] = key_position, self.node(self._events.take(), depth + 1)
        return Mapping(position, entries)

    def _key(self, node: Node, position: Position) -> str:
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            _fail(position, "a key has to be text; put a number, true, false or null in quotes")
        return node.value


def _line(position: Position) -> int:
    return (position.line or 0) + 1

"""Writes a deployment file with everything that it includes as one YAML text that says the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from moorage.deployment_file.document import Path as Keys
from moorage.deployment_file.yaml_tree import Mapping, Node, Scalar, Sequence, plain_value

INDENT = "  "
MAX_PART_CHARACTERS = 1_500
"""Of a line; longer text goes on in the next one. Escaped, it may be ten times as long, see MAX_LINE_CHARACTERS."""

_PLAIN = re.compile(r"(?!-(:|$)|---|\.\.\.)[A-Za-z0-9_/.+-][A-Za-z0-9_/.@%+=-]*(:[A-Za-z0-9_/.@%+=-]+)*")
"""What means the same with and without quotes, wherever it stands."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def dump(root: Mapping, directory: Path) -> str:
    """Return a text that loads as what the tree says, if its file stands in a directory.

    Args:
        root: a valid deployment file, merged with what it includes.
        directory: of the deployment file, in its real place; files of secrets are named from there.
    """
    return "".join(f"{line}\n" for line in _Writer(directory).lines(root, (), ""))


class _Writer:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def lines(self, node: Node, keys: Keys, indent: str) -> Iterator[str]:
        """Yield the lines of a map or list that is not empty, or the one of something else."""
        match node:
            case Mapping() if node.entries:
                for key, (_, child) in node.entries.items():
                    yield from self._entry(f"{indent}{_text(key, False, indent)}:", child, (*keys, key), indent)
            case Sequence() if node.items:
                for index, child in enumerate(node.items):
                    yield from self._item(child, (*keys, index), indent)
            case _:
                yield indent + self._value(node, keys, indent)

    def _entry(self, head: str, child: Node, keys: Keys, indent: str) -> Iterator[str]:
        if _is_nested(child):
            yield head
            yield from self.lines(child, keys, indent + INDENT)
        else:
            yield f"{head} {self._value(child, keys, indent + INDENT)}"

    def _item(self, child: Node, keys: Keys, indent: str) -> Iterator[str]:
        """Put the dash in place of the indentation of the first line."""
        first, *rest = self.lines(child, keys, indent + INDENT)
        yield f"{indent}- {first[len(indent) + len(INDENT) :]}"
        yield from rest

    def _value(self, node: Node, keys: Keys, indent: str) -> str:
        if isinstance(node, Mapping):
            return "{}"
        if isinstance(node, Sequence):
            return "[]"
        if _is_file_of_secret(keys):
            return _text(self._from_here(node), False, indent)
        return _text(node.text, node.is_plain, indent)

    def _from_here(self, node: Scalar) -> str:
        """Return a path as the deployment file's directory sees it; it is written as the file sees it that names it."""
        if Path(node.text).is_absolute():
            return node.text
        return os.path.relpath(node.position.source.directory / node.text, self._directory)


def _is_nested(node: Node) -> bool:
    return bool(node.entries if isinstance(node, Mapping) else node.items if isinstance(node, Sequence) else ())


def _is_file_of_secret(keys: Keys) -> bool:
    match keys:
        case ("services", _, "secrets", _, "file") | ("services", _, "credentials", "password", "file"):
            return True
        case ("notifications", _, "secret", "file"):
            return True
        case _:
            return False


def _text(text: str, is_plain: bool, indent: str) -> str:
    """Return a scalar: without quotes if it says the same without them."""
    value = plain_value(text)
    if is_plain and not isinstance(value, str):
        return text or "null"
    if isinstance(value, str) and _PLAIN.fullmatch(text) and len(text) <= MAX_PART_CHARACTERS:
        return text
    parts = [text[start : start + MAX_PART_CHARACTERS] for start in range(0, len(text), MAX_PART_CHARACTERS)]
    return '"' + f"\\\n{indent}".join(map(_escaped, parts)) + '"'


def _escaped(part: str) -> str:
    escaped = "".join(_character(character) for character in part)
    return f"\\{escaped}" if escaped.startswith(" ") else escaped  # what begins a line would not count


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"

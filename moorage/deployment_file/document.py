"""A deployment file as plain values for the schema and the checks, with the position of every value and key."""

from __future__ import annotations

from typing import Any

from moorage.deployment_file.problems import Position
from moorage.deployment_file.yaml_tree import Mapping, Node, Scalar, Sequence

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value."""


class Document:
    """The content of a file, merged with what it includes. Aliases are copies from here on."""

    def __init__(self, root: Node) -> None:
        self._nodes: dict[Path, Node] = {}
        self._key_positions: dict[Path, Position] = {}
        self._blanked: set[Path] = set()
        self.value: Any = self._expand(root, ())

    def get(self, path: Path) -> Any:
        """Return the value at a path; None if there is none, or nothing that can be used."""
        value: Any = self.value
        for key in path:
            value = value[key] if isinstance(key, int) else (value or {}).get(key)
        return value

    def blank(self, path: Path) -> None:
        """Make a value None because it is wrong and has been reported."""
        self._blanked.add(path)
        self.get(path[:-1])[path[-1]] = None

    def is_blanked(self, path: Path) -> bool:
        return path in self._blanked

    def value_position(self, path: Path) -> Position:
        """Return where a value starts; where its key stands if nothing is written there."""
        node = self._nodes[path]
        if isinstance(node, Scalar) and node.is_plain and not node.text:
            return self._key_positions.get(path, node.position)
        return node.position

    def key_position(self, path: Path) -> Position:
        """Return where the key of a value stands; where the value itself starts if it is in a list or the root."""
        return self._key_positions.get(path, self._nodes[path].position)

    def text(self, path: Path) -> str:
        """Return a scalar as it was written: `1.10` stays 1.10."""
        node = self._nodes[path]
        assert isinstance(node, Scalar), path
        return node.text

    def _expand(self, node: Node, path: Path) -> Any:
        self._nodes[path] = node
        match node:
            case Scalar():
                return node.value
            case Sequence():
                return [self._expand(item, (*path, index)) for index, item in enumerate(node.items)]
            case Mapping():
                return {key: self._entry((*path, key), *entry) for key, entry in node.entries.items()}

    def _entry(self, path: Path, key_position: Position, node: Node) -> Any:
        self._key_positions[path] = key_position
        return self._expand(node, path)

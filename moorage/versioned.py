"""A mapping of which each version stays as it is, while the next one costs no more than what differs in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Versioned(Mapping[Key, Value]):
    """One version. The newest has the items; an older one has what was different in it, and knows the next.

    An older version is slower to read, the first time that somebody goes through it above all, and it keeps all later
    ones in memory: hold one no longer than needed (H. G. Baker, "Shallow binding makes functional arrays fast", 1991).
    """

    __slots__ = ("_before", "_items", "_next")

    def __init__(self, items: Mapping[Key, Value] | None = None) -> None:
        self._items: dict[Key, Value] | None = dict(items or {})
        self._before: dict[Key, tuple[Value, ...]] = {}  # () where there was nothing
        self._next: Versioned[Key, Value] | None = None

    def replaced(self, keys: Collection[Key], new: Mapping[Key, Value]) -> Versioned[Key, Value]:
        """Return the version in which some keys are as in another mapping, or gone; this one if that is no change.

        Args:
            keys: all that may change, those of `new` included.
        """
        items = self._own()
        before = {key: _found(items, key) for key in keys if _found(items, key) != _found(new, key)}
        if not before:
            return self
        for key in before:
            if key in new:
                items[key] = new[key]
            else:
                del items[key]
        newer: Versioned[Key, Value] = Versioned()
        newer._items = items
        self._items, self._before, self._next = None, before, newer
        return newer

    def __getitem__(self, key: Key) -> Value:
        version: Versioned[Key, Value] = self
        while version._items is None:
            if key in version._before:
                for value in version._before[key]:
                    return value
                raise KeyError(key)
            assert version._next is not None
            version = version._next
        return version._items[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._own()))  # the next version may be made while somebody goes through this one

    def __len__(self) -> int:
        return len(self._own())

    def __repr__(self) -> str:
        return f"Versioned({self._own()!r})"

    def _own(self) -> dict[Key, Value]:
        """Return the items as a dict that no other version has."""
        if self._items is None:
            older = [self]
            while (version := older[-1]._next) is not None and version._items is None:
                older.append(version)
            assert version is not None and version._items is not None
            items = dict(version._items)
            for each in reversed(older):
                for key, found in each._before.items():
                    items.pop(key, None)
                    items.update((key, value) for value in found)
            self._items, self._before, self._next = items, {}, None
        return self._items


def _found(mapping: Mapping[Key, Value], key: Key) -> tuple[Value, ...]:
    return (mapping[key],) if key in mapping else ()

"""Ids as people type them: whole, or their first digits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

ID_DIGITS = 64
SHORTEST_PREFIX = 8

Id = TypeVar("Id", bound=bytes)


class NotAnId(ValueError):
    """What was typed is no id nor the beginning of one; the message says what is."""


def digits_of(typed: str) -> str:
    """Return the hex digits of an id, or of its beginning.

    Raises:
        NotAnId: they are none, or too few or too many.
    """
    digits = typed.removeprefix("0x").lower()
    is_hex = all(character in "0123456789abcdef" for character in digits)
    if not is_hex or not SHORTEST_PREFIX <= len(digits) <= ID_DIGITS:
        raise NotAnId(f"{typed!r}: an id is 0x and {ID_DIGITS} hex digits, or at least its first {SHORTEST_PREFIX}")
    return digits


def beginning_with(digits: str, ids: Iterable[Id]) -> list[Id]:
    """Return the ids that begin with some digits."""
    return [each for each in ids if each.hex().startswith(digits)]

"""Decodes and encodes 32-byte words (Contract ABI specification): an order of magnitude faster than what is general."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eth_abi.exceptions import DecodingError

WORD = 32
Decoder = Callable[[bytes], tuple[Any, ...]]
Encoder = Callable[[Sequence[Any]], bytes | None]


def decoder(kinds: Sequence[str]) -> Decoder | None:
    """Return what decodes values of these types, or None if they are not simple enough.

    Simple are uint256, address, bytes32, bool, uint256[], and one tuple of them but arrays.
    """
    if len(kinds) == 1 and kinds[0].startswith("(") and kinds[0].endswith(")"):
        inner = _fixed(kinds[0][1:-1].split(","))
        return None if inner is None else lambda data: (inner(data),)
    return _fixed(kinds) or _with_arrays(kinds)


def _fixed(kinds: Sequence[str]) -> Decoder | None:
    if not all(kind in _WORDS for kind in kinds):
        return None
    parts = [(start * WORD, (start + 1) * WORD, _WORDS[kind]) for start, kind in enumerate(kinds)]
    length = len(kinds) * WORD

    def decode(data: bytes) -> tuple[Any, ...]:
        if len(data) != length:
            raise DecodingError(f"{len(data)} bytes where {length} belong")
        return tuple([read(data[start:end]) for start, end, read in parts])

    return decode


def _with_arrays(kinds: Sequence[str]) -> Decoder | None:
    if not all(kind in _WORDS or kind == "uint256[]" for kind in kinds):
        return None
    heads = len(kinds) * WORD

    def decode(data: bytes) -> tuple[Any, ...]:
        if len(data) < heads:
            raise DecodingError(f"{len(data)} bytes where {heads} belong at least")
        words = (data[start : start + WORD] for start in range(0, heads, WORD))
        return tuple(
            [
                _array(data, _number(word)) if kind == "uint256[]" else _WORDS[kind](word)
                for kind, word in zip(kinds, words, strict=True)
            ]
        )

    return decode


def _array(data: bytes, start: int) -> tuple[int, ...]:
    if start + WORD > len(data):
        raise DecodingError("an array begins beyond the end")
    first, count = start + WORD, _number(data[start : start + WORD])
    if first + count * WORD > len(data):
        raise DecodingError("an array goes on beyond the end")
    return tuple([_number(data[at : at + WORD]) for at in range(first, first + count * WORD, WORD)])


def _number(word: bytes) -> int:
    return int.from_bytes(word, "big")


def _address(word: bytes) -> str:
    if any(word[:12]):
        raise DecodingError("an address has 20 bytes")
    return f"0x{word[12:].hex()}"


def _flag(word: bytes) -> bool:
    number = _number(word)
    if number > 1:
        raise DecodingError("a bool is 0 or 1")
    return bool(number)


_WORDS: dict[str, Callable[[bytes], Any]] = {
    "uint256": _number,
    "address": _address,
    "bool": _flag,
    "bytes32": bytes,
}


def encoder(kinds: Sequence[str]) -> Encoder | None:
    """Return what encodes values of these types, or None if they are not simple enough.

    Simple are uint256, bytes32, and arrays of them or of tuples of them. What it is given that is not exactly that, it
    does not encode: it returns None, and the ABI's own encoder says what is wrong.
    """
    fields = [_field(kind) for kind in kinds]
    if not fields or any(field is None for field in fields):
        return None

    def encode(values: Sequence[Any]) -> bytes | None:
        if len(values) != len(fields):
            return None
        heads, tails, at = [], [], WORD * len(fields)
        try:
            for field, value in zip(fields, values, strict=True):
                assert field is not None
                content = field[1](value)
                if field[0]:
                    heads.append(at.to_bytes(WORD, "big"))
                    tails.append(content)
                    at += len(content)
                else:
                    heads.append(content)
        except (ValueError, TypeError, OverflowError):
            return None
        return b"".join(heads + tails)

    return encode


def _field(kind: str) -> tuple[bool, Callable[[Any], bytes]] | None:
    """Return whether values of a type stand behind the others, and what encodes them."""
    if kind in _WRITERS:
        return False, _WRITERS[kind]
    if not kind.endswith("[]"):
        return None
    inner = kind[:-2]
    if inner in _WRITERS:
        write = _WRITERS[inner]
        return True, lambda items: b"".join([_written_number(len(items)), *[write(item) for item in items]])
    parts = inner[1:-1].split(",") if inner.startswith("(") and inner.endswith(")") else [""]
    if any(part not in _WRITERS for part in parts):
        return None
    writers = [_WRITERS[part] for part in parts]

    def rows(items: Sequence[Sequence[Any]]) -> bytes:
        pieces = [_written_number(len(items))]
        for item in items:
            pieces += [write(value) for write, value in zip(writers, item, strict=True)]
        return b"".join(pieces)

    return True, rows


def _written_number(value: Any) -> bytes:
    if type(value) is not int:
        raise TypeError
    return value.to_bytes(WORD, "big")


def _written_word(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) != WORD:
        raise ValueError
    return value


_WRITERS: dict[str, Callable[[Any], bytes]] = {"uint256": _written_number, "bytes32": _written_word}

"""How events are read from logs, whatever the contract tests run on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eth_abi import decode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic


class Formats:
    """How the events of a contract are written into logs."""

    def __init__(self, abi: Iterable[dict[str, Any]]) -> None:
        events = [each for each in abi if each["type"] == "event"]
        self._formats = {event_abi_to_log_topic(each): _Format(each) for each in events}

    def read(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]]:
        """Return name and fields of an event."""
        return self._formats[topics[0]].read(topics[1:], data)


class _Format:
    def __init__(self, abi: dict[str, Any]) -> None:
        self.name = abi["name"]
        self.indexed = [(field["name"], [collapse_if_tuple(field)]) for field in abi["inputs"] if field["indexed"]]
        others = [field for field in abi["inputs"] if not field["indexed"]]
        self.names = [field["name"] for field in others]
        self.types = [collapse_if_tuple(field) for field in others]

    def read(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]]:
        fields = dict(zip(self.names, decode(self.types, data), strict=True))
        for (name, kind), topic in zip(self.indexed, topics, strict=True):
            [fields[name]] = decode(kind, topic)
        return self.name, {name: plain(value) for name, value in fields.items()}


def plain(value: Any) -> Any:
    """Return a value as two of it compare: bytes and addresses as hex in lower case, rows as lists."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return value.lower()
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def as_bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.removeprefix("0x"))

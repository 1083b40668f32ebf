"""The events of a transaction as plain values."""

from __future__ import annotations

from typing import Any


def events_of(transaction: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return name and fields of all events of a transaction, in order; bytes as hex."""
    events = (transaction.events[index] for index in range(len(transaction.events)))
    return [(event.name, {key: _plain(value) for key, value in event.items()}) for event in events]


def _plain(value: Any) -> Any:
    return "0x" + value.hex() if isinstance(value, bytes) else value

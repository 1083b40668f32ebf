"""What a recipient is told: a fact with an id that is the same however often, and by whomever, it is derived."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cli.core.view import Attempt, DeploymentView, full
from moorage.events import Event
from moorage.types import DeploymentId

ID_DIGITS = 32
NO_DEPLOYMENT = DeploymentId(bytes(32))
Fields = Mapping[str, str | int | None]
Kind = Event
"""What a notice is of; beside the chain's own events it has another name here."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One fact about a deployment."""

    id: str
    kind: Kind
    block_number: int
    """In which it has become so, or was first seen."""
    text: str
    fields: Fields = field(default_factory=dict)
    """The same for programs; ids are complete."""


def notice_id(deployment: DeploymentId, kind: Kind, *about: bytes | int | str) -> str:
    """Return the id of a fact.

    Args:
        deployment: names the chain and the exchange, too.
        about: what tells the fact from others of its kind, never a block: a reorganisation may move it.
    """
    parts = [part.hex() if isinstance(part, bytes) else part for part in (deployment, kind.value, *about)]
    return f"evt_{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:ID_DIGITS]}"


def notice_of_lease(
    view: DeploymentView, attempt: Attempt, kind: Kind, text: str, *about: bytes | int | str, **fields: str | int | None
) -> Notice:
    """Return what is seen of a lease in the newest block.

    Args:
        about: as of `notice_id`, beside the lease.
    """
    shown = {"lease": full(attempt.id), "group": attempt.group.name, "provider": attempt.provider, **fields}
    return Notice(notice_id(view.id, kind, attempt.id, *about), kind, view.block_number, text, shown)


def document(notice: Notice, deployment: DeploymentId, unix_seconds: int, *, is_test: bool = False) -> dict[str, Any]:
    """Return what is sent; the names of fields never hide those of every notice.

    Args:
        unix_seconds: the time of the notice's block.
    """
    return {
        **notice.fields,
        "id": notice.id,
        "event": notice.kind.value,
        "deployment": full(deployment),
        "time": datetime.fromtimestamp(unix_seconds, UTC).isoformat().replace("+00:00", "Z"),
        "block": notice.block_number,
        "text": notice.text,
        "test": is_test,
    }

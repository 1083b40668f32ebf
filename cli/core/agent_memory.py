"""What is remembered of what agents have said, so that a watcher that is started again tells nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Node:
    """A workload on a lease, as it was told last."""

    is_up: bool
    changes: int
    """How often it has come up and gone down."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What was told of a deployment, and since when something lasts."""

    complete_stage: int = 0
    """The last that was complete."""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    """Lease and workload, `0x.../web` -> as it was told."""
    came_up: Mapping[str, str] = field(default_factory=dict)
    """Lease -> the version of which all workloads ran on it."""
    since_seconds: Mapping[str, float] = field(default_factory=dict)
    """What lasts -> since when; not kept, a watcher that is started again counts anew."""


def kept(memory: Memory) -> Memory:
    """Return what is worth keeping on the disk."""
    return replace(memory, since_seconds={})

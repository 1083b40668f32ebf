"""What is remembered of what agents have said, so that a watcher that is started again tells nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Node:
    """A workload on a lease."""

    is_up: bool
    changes: int
    """How often it has come up and gone down."""
    untold: int = 0
    """How many of these, the last ones, nobody was told of."""
    up_block: int | None = None
    """In which it was told last that it runs."""
    down_block: int | None = None
    """In which it was told last that it does not."""


@dataclass(frozen=True, slots=True)
class Ration:
    """What was told of all workloads of a lease, of one kind, in an interval."""

    begin_block: int
    told: int = 0
    """Notices in this interval."""
    sums: int = 0
    """Notices of several workloads at once, ever."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What was told of a deployment, and since when something lasts."""

    complete_stage: int = 0
    """The last that was complete."""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    """Lease and workload, `0x.../web` -> how it is, and what was told of it."""
    came_up: Mapping[str, str] = field(default_factory=dict)
    """Lease -> the version of which all workloads ran on it."""
    since_seconds: Mapping[str, float] = field(default_factory=dict)
    """What lasts -> since when; not kept, a watcher that is started again counts anew."""
    rations: Mapping[str, Ration] = field(default_factory=dict)
    """Lease and kind, `0x.../cluster.node.down` -> what was told of it."""


def kept(memory: Memory) -> Memory:
    """Return what is worth keeping on the disk."""
    return replace(memory, since_seconds={})

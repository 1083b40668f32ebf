"""Chooses ports of the host for gateways: a lease keeps those that it has, and gets others when they are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from moorage.types import OrderId

MOST_OF_A_LEASE = 64
"""Ports that one lease can have, so that no tenant uses them all up."""

Ports = Mapping[str, int]
"""What a port is for, as core.gateway names it -> the port."""


@dataclass(frozen=True, slots=True)
class PortRange:
    first: int = 30_000
    last: int = 32_767

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    @property
    def size(self) -> int:
        return self.last - self.first + 1


def choose_ports(
    lease: OrderId, wanted: Sequence[str], has: Ports, taken: Collection[int], allowed: PortRange
) -> dict[str, int]:
    """Return the ports of a lease; what gets none, because none is left or the lease has enough, is missing.

    Where the search begins follows from the lease and from what the port is for: after everything was forgotten it is
    the same port again, unless somebody else has it.

    Args:
        wanted: what for, the most important first.
        has: the ports that it was given before.
        taken: by other leases, or found to be a stranger's.
    """
    chosen: dict[str, int] = {}
    for key in wanted[:MOST_OF_A_LEASE]:
        if key in has and has[key] in allowed and has[key] not in taken:
            chosen[key] = has[key]
    for key in wanted[:MOST_OF_A_LEASE]:
        if key not in chosen:
            occupied = {*taken, *chosen.values()}
            port = next((each for each in _candidates(lease, key, allowed) if each not in occupied), None)
            if port is not None:
                chosen[key] = port
    return chosen


def _candidates(lease: OrderId, key: str, allowed: PortRange) -> Iterator[int]:
    start = int.from_bytes(hashlib.sha256(lease + key.encode()).digest()[:8])
    return (allowed.first + (start + offset) % allowed.size for offset in range(allowed.size))


def written(ports: Ports) -> str:
    """Return ports as the text of a label."""
    return " ".join(f"{key}={port}" for key, port in sorted(ports.items()))


def read(label: str) -> dict[str, int]:
    """Return what `written` wrote; what somebody else wrote is passed over."""
    pairs = (part.rpartition("=") for part in label.split())
    return {key: int(port) for key, _, port in pairs if key and port.isdecimal() and len(port) <= 5}

"""Chooses subnets out of the agent's own pool: an engine's default pools end at about 30 networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network


def free_subnets(pool: IPv4Network, size: int, taken: Iterable[IPv4Network], seed: str) -> Iterator[IPv4Network]:
    """Yield the subnets of `size` addresses that overlap none that is taken.

    They begin at a place that depends on the seed: several agents on one engine rarely try the same one.

    Args:
        size: a power of two; larger than the pool: nothing is yielded.
    """
    slots = pool.num_addresses // size
    prefix = 32 - (size - 1).bit_length()
    occupied = {slot for network in taken if network.overlaps(pool) for slot in _slots(pool, size, network)}
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    for offset in range(slots):
        slot = (start + offset) % slots
        if slot not in occupied:
            yield IPv4Network((int(pool.network_address) + slot * size, prefix))


def _slots(pool: IPv4Network, size: int, network: IPv4Network) -> range:
    base = int(pool.network_address)
    first = max(0, int(network.network_address) - base) // size
    last = min(pool.num_addresses - 1, int(network.broadcast_address) - base) // size
    return range(first, last + 1)

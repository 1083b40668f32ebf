"""How often one peer may ask: a token bucket each, for a bounded number of peers."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    per_second: int
    burst: int
    """How many may come at once after a pause."""


class TokenBuckets:
    """Counts what each peer takes. The peer unseen for longest is forgotten when there are too many."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic, max_peers: int = 10_000) -> None:
        self._rate = rate
        self._clock = clock
        self._max_peers = max_peers
        self._peer_to_bucket: OrderedDict[str, tuple[float, float]] = OrderedDict()  # -> tokens, at this time

    def take(self, peer: str) -> bool:
        """Take one token; return False if the peer has none left."""
        now = self._clock()
        tokens, then = self._peer_to_bucket.pop(peer, (float(self._rate.burst), now))
        tokens = min(float(self._rate.burst), tokens + (now - then) * self._rate.per_second)
        is_allowed = tokens >= 1
        self._peer_to_bucket[peer] = (tokens - 1 if is_allowed else tokens, now)
        if len(self._peer_to_bucket) > self._max_peers:
            self._peer_to_bucket.popitem(last=False)
        return is_allowed


def peer_of(host: str) -> str:
    """Return whom to count a remote address as: an IPv4 address, or the /64 that one IPv6 subscriber owns."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))

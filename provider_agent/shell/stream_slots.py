"""How many streams there may be at once, and how much of the agent's time they get in all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moorage.types import Address, OrderId

BATCH = 64
"""Lines that are sent at a time, and messages of a command after which it rests."""
PAUSE_SECONDS = 0.005
"""After each of them, for each stream that there is: what is sent to all together has a bound."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Far below what the listener takes: there is always room for short requests."""

    total: int
    per_tenant: int
    per_lease: int


LOG_LIMITS = StreamLimits(total=64, per_tenant=16, per_lease=4)
EXEC_LIMITS = StreamLimits(total=32, per_tenant=8, per_lease=4)


class StreamSlots:
    """Counts the streams that are open."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._leases: Counter[OrderId] = Counter()
        self._tenants: Counter[Address] = Counter()

    @contextmanager
    def one(self, lease: OrderId, tenant: Address) -> Iterator[str | None]:
        """Count a stream while the block runs; yields why there may be no more, None if there may."""
        refusal = self._refusal(lease, tenant)
        if refusal is not None:
            yield refusal
            return
        self._leases[lease] += 1
        self._tenants[tenant] += 1
        try:
            yield None
        finally:
            self._leases -= Counter([lease])
            self._tenants -= Counter([tenant])

    async def rest(self) -> None:
        """Leave the agent to others for a while, after a batch."""
        await asyncio.sleep(PAUSE_SECONDS * max(1, self._leases.total()))

    def _refusal(self, lease: OrderId, tenant: Address) -> str | None:
        if self._leases[lease] >= self._limits.per_lease:
            return f"this lease has {self._limits.per_lease} streams of this kind open, which is all that it may"
        if self._tenants[tenant] >= self._limits.per_tenant:
            return f"this tenant has {self._limits.per_tenant} streams of this kind open, which is all that it may"
        if self._leases.total() >= self._limits.total:
            return "too many streams of this kind are open"
        return None

"""Asks final blocks what became of leases, each time at another node: the only place where proofs are made."""

from __future__ import annotations

from collections.abc import Sequence

from moorage.chain.contracts import Exchange
from moorage.chain.index import read_block
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.types import Lease, OrderId, OrderState, ProviderNumber
from provider_agent.core.endings import Proof, Standing

OVER = (OrderState.LEASE_STALE, OrderState.LEASE_CLOSING, OrderState.LEASE_CLOSED)


class Prover:
    """Reads leases of one provider at the newest final block of one node after the other."""

    def __init__(self, rpc: Rpc, exchange: Exchange, provider: ProviderNumber) -> None:
        self._rpc = rpc
        self._count = len(rpc.nodes)
        self._exchange = exchange
        self._provider = provider
        self._turn = 0

    async def prove(self, leases: Sequence[OrderId]) -> list[Proof]:
        """Return what the leases are at a final block.

        Raises:
            NodeUnavailable: no node answers; nothing is proved by that.
        """
        failures = []
        for _ in range(self._count):
            turn, self._turn = self._turn, (self._turn + 1) % self._count
            try:
                return await self._ask(turn, leases)
            except NodeUnavailable as error:
                failures.append(str(error))
        raise NodeUnavailable("; ".join(dict.fromkeys(failures)))

    async def _ask(self, turn: int, leases: Sequence[OrderId]) -> list[Proof]:
        node = await self._rpc.checked(turn)
        final = await read_block(node, "finalized")
        found = await self._exchange.through(node).leases(final, leases)
        standings = map(self._standing, found)
        return [
            Proof(lease, standing, final, turn, self._count) for lease, standing in zip(leases, standings, strict=True)
        ]

    def _standing(self, lease: Lease | None) -> Standing:
        if lease is None or lease.provider != self._provider:
            return Standing.NEVER
        if lease.state in OVER:
            return Standing.OVER
        return Standing.LIVE if lease.state is OrderState.LEASE_ACTIVE else Standing.NEVER

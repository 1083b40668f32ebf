"""Measures what waits on the market, and what the facilitator has."""

from __future__ import annotations

from collections.abc import Callable

from facilitator_bot.core.summary import summarise
from facilitator_bot.metrics import FacilitatorMetrics
from moorage.chain.contracts import Exchange
from moorage.snapshot import Snapshot
from moorage.types import Address


class Gauges:
    """Feeds the metrics of one facilitator."""

    def __init__(
        self,
        metrics: FacilitatorMetrics,
        exchange: Exchange,
        address: Address | None,
        newest: Callable[[], Snapshot | None],
    ) -> None:
        """
        Args:
            address: of the facilitator's account, None in dry mode.
            newest: gives the newest snapshot, None until there is one.
        """
        self._metrics = metrics
        self._exchange = exchange
        self._address = address
        self._newest = newest

    async def measure(self) -> None:
        """Measure once.

        Raises:
            ChainError: the node does not answer.
        """
        snapshot = self._newest()
        if snapshot is None:
            return
        accounts = await self._exchange.accounts(snapshot.block, [self._address] if self._address else [])
        self._metrics.market(summarise(snapshot), accounts[0].available if accounts else None)

"""What a daemon tells of itself while it runs: metrics, health, and signs of life for its supervisor."""

from __future__ import annotations

from moorage.chain.index import LogIndex
from moorage.chain.jobs import Cause
from moorage.chain.rpc import Rpc
from moorage.dispatch import Dispatch
from moorage.health import Health
from moorage.maintenance import Maintenance
from moorage.metrics import ChainMetrics, CycleMetrics, TransactionMetrics
from moorage.snapshot import Block
from moorage.watchdog import Watchdog


class Monitor:
    """Is told by the loop how cycles went, and by the outbox what became of transactions."""

    def __init__(
        self,
        chain: ChainMetrics,
        cycles: CycleMetrics,
        transactions: TransactionMetrics,
        health: Health,
        watchdog: Watchdog,
    ) -> None:
        self._chain = chain
        self._cycles = cycles
        self._transactions = transactions
        self._health = health
        self._watchdog = watchdog
        self._rpc: Rpc | None = None

    def watch(self, rpc: Rpc, index: LogIndex, dispatch: Dispatch, maintenance: Maintenance) -> None:
        """Have these looked at after each cycle."""
        self._rpc, self._index, self._dispatch, self._maintenance = rpc, index, dispatch, maintenance
        self._reorganisations = index.reorganisations

    def completed(self, block: Block, seconds: float) -> None:
        """Note a cycle that went to its end."""
        self._chain.head_processed(block)
        self._cycles.completed(seconds)
        self._health.head_processed(block)
        self._look()

    def failed(self, reason: str) -> None:
        """Note a cycle that did not."""
        self._cycles.failed()
        self._health.cycle_failed(reason)
        self._look()

    def alive(self) -> None:
        """Say that the program turns: it is ended when this does not come for long."""
        self._watchdog.alive()

    def fault(self, about: str, reason: str | None) -> None:
        """Note what is wrong with something beside the chain; None: nothing any more."""
        self._health.fault(about, reason)

    def _look(self) -> None:
        if self._rpc is None:
            return
        for place, node in enumerate(self._rpc.nodes):
            self._chain.endpoint(place, node.is_up)
        self._chain.reorganised(self._index.reorganisations - self._reorganisations)
        self._reorganisations = self._index.reorganisations
        self._cycles.quarantined(self._dispatch.quarantined)
        self._cycles.draining(self._maintenance.is_draining)
        self._transactions.under_way(self._dispatch.under_way)

    # -------------------------------------------------------------- moorage.chain.jobs.Observer

    def submitted(self, kind: str) -> None:
        self._cycles.intended(kind)

    def landed(self, kind: str) -> None:
        self._transactions.landed(kind)

    def rejected(self, kind: str, cause: Cause) -> None:
        self._transactions.rejected(kind, cause.value)

    def replaced(self, kind: str) -> None:
        self._transactions.replaced()

    def held(self, kind: str) -> None:
        self._transactions.held(kind)

    def spent(self, kind: str, wei: int) -> None:
        self._transactions.spent(wei)

    def balance(self, wei: int) -> None:
        self._transactions.balance(wei)

"""What a daemon tells of itself while it runs: metrics, health, and signs of life for its supervisor."""

from __future__ import annotations

from moorage.chain.jobs import Cause
from moorage.health import Health
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

    def completed(self, block: Block, seconds: float) -> None:
        """Note a cycle that went to its end."""
        self._chain.head_processed(block)
        self._cycles.completed(seconds)
        self._health.head_processed(block)

    def failed(self, reason: str) -> None:
        """Note a cycle that did not."""
        self._cycles.failed()
        self._health.cycle_failed(reason)

    def alive(self) -> None:
        """Say that the program turns: it is ended when this does not come for long."""
        self._watchdog.alive()

    def looked(self, quarantined: int, under_way: int, is_draining: bool) -> None:
        """Note how many things are set aside, how many transactions are in no block, and whether it is maintenance."""
        self._cycles.quarantined(quarantined)
        self._transactions.under_way(under_way)
        self._cycles.draining(is_draining)

    # -------------------------------------------------------------- moorage.chain.jobs.Observer

    def submitted(self, kind: str) -> None:
        self._cycles.intended(kind)

    def landed(self, kind: str) -> None:
        self._transactions.landed(kind)

    def rejected(self, kind: str, cause: Cause) -> None:
        self._transactions.rejected(kind, cause.value)

    def replaced(self, kind: str) -> None:
        self._transactions.replaced()

    def spent(self, kind: str, wei: int) -> None:
        self._transactions.spent(wei)

    def balance(self, wei: int) -> None:
        self._transactions.balance(wei)

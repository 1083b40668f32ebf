"""What a facilitator measures. Feed it a summary in each cycle."""

from __future__ import annotations

import math
import time

from prometheus_client import CollectorRegistry, Gauge

from facilitator_bot.core.summary import Summary
from moorage import units
from moorage.metrics import ChainMetrics, Clock, CycleMetrics, TransactionMetrics


class FacilitatorMetrics:
    """All metrics of one facilitator, in a registry of their own."""

    def __init__(self, token_decimals: int, clock: Clock = time.time) -> None:
        self.registry = CollectorRegistry()
        self.chain = ChainMetrics(self.registry, clock)
        self.cycles = CycleMetrics(self.registry, "facilitator")
        self.transactions = TransactionMetrics(self.registry, clock)
        self._one_token = units.ledger_units_per_token(token_decimals)
        self._orders = self._gauge("orders_open", "Orders that are not matched yet")
        self._bids = self._gauge("bids_open", "Bids on them")
        self._leases = self._gauge("leases", "Leases of all providers by state", "state")
        self._deployments = self._gauge("deployments", "Deployments by state", "state")
        self._due = self._gauge("due", "Items that could be acted on in the next block", "kind")
        self._oldest = self._gauge("oldest_due_blocks", "For how long a match or a stale call has been due")
        self._tips = self._gauge("tips_tokens", "What the account on the exchange holds")

    def market(self, summary: Summary, tips_ledger_units: int | None = None) -> None:
        """Note what is on the market, and what the facilitator's account holds if that is known."""
        self._orders.set(summary.orders)
        self._bids.set(summary.bids)
        self._leases.labels("active").set(summary.active_leases)
        self._leases.labels("closing").set(summary.closing_leases)
        self._deployments.labels("active").set(summary.deployments - summary.closing_deployments)
        self._deployments.labels("closing").set(summary.closing_deployments)
        for kind, count in summary.due.items():
            self._due.labels(kind).set(count)
        self._oldest.set(summary.oldest_due_blocks)
        if tips_ledger_units is not None:
            self._tips.set(tips_ledger_units / self._one_token)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        gauge = Gauge(f"moorage_facilitator_{name}", text, labels, registry=self.registry)
        if not labels:
            gauge.set(math.nan)  # not known yet: 0 would raise alarms
        return gauge

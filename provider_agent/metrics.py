"""What an agent measures. Feed it a summary in each cycle, and the engine's state after each pass over it."""

from __future__ import annotations

import math
import time
from collections import Counter as Counts
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from moorage import units
from moorage.metrics import ChainMetrics, Clock, CycleMetrics, TransactionMetrics
from provider_agent.core.summary import Standing, Summary
from provider_agent.core.workload_report import WorkloadState

SECONDS_PER_DAY = 86_400


class ProviderMetrics:
    """All metrics of one agent, in a registry of their own."""

    def __init__(self, token_decimals: int, clock: Clock = time.time) -> None:
        self.registry = CollectorRegistry()
        self.chain = ChainMetrics(self.registry, clock)
        self.cycles = CycleMetrics(self.registry, "provider")
        self.transactions = TransactionMetrics(self.registry, clock)
        self._clock = clock
        self._one_token = units.ledger_units_per_token(token_decimals)
        self._leases = self._gauge("leases", "Leases by how they stand", "state")
        self._deadline = self._gauge(
            "blocks_to_deadline", "Until a lease is lost for want of a confirmation; +Inf without leases"
        )
        self._period = self._gauge("period_blocks", "How long a confirmation lasts on this market")
        self._bids = self._gauge("bids_open", "Bids on orders that are not matched yet")
        self._lost_bids = self._gauge("bids_lost", "Lost bids whose collateral is not back yet")
        self._locked = self._gauge("collateral_locked_tokens", "Collateral of live bids and leases")
        self._available = self._gauge("collateral_free_tokens", "What the account can still lock")
        self._cap_left = self._gauge("collateral_cap_left_tokens", "What the cap still leaves for collateral")
        self._slashed = self._gauge("collateral_slashed_tokens", "Collateral lost so far")
        self._earned = self._gauge("earned_unclaimed_tokens", "Confirmed and not collected yet")
        self._charge = self._gauge("charge_tokens_per_block", "What the active leases earn in each block")
        self._capacity = self._gauge("capacity", "What leases may use in all: milli-CPU, bytes", "resource")
        self._reserved = self._gauge("capacity_reserved", "What leases and bids hold: milli-CPU, bytes", "resource")
        self._engine = self._gauge("engine_up", "Whether the container engine answers")
        self._workloads = self._gauge("workloads", "Workloads by state", "state")
        self._tunnels = self._gauge("tunnels", "Tunnels to other datacenters: proved, or waiting for proof", "state")
        self._certificates = self._gauge("certificate_days", "Days until a certificate expires", "certificate")

    def market(self, summary: Summary) -> None:
        """Note what the provider has on the market."""
        counts = Counts(line.standing for line in summary.leases)
        for standing in Standing:
            self._leases.labels(standing.value).set(counts[standing])
        blocks = summary.blocks_to_deadline
        self._deadline.set(math.inf if blocks is None else blocks)
        self._period.set(summary.period_blocks)
        self._bids.set(len(summary.open_bids))
        self._lost_bids.set(summary.lost_bids)
        self._locked.set(self._tokens(summary.locked))
        self._available.set(self._tokens(summary.available))
        self._cap_left.set(self._tokens(summary.cap_left))
        self._slashed.set(self._tokens(summary.slashed))
        self._earned.set(self._tokens(summary.earned))
        self._charge.set(self._tokens(summary.charge_per_block))
        for gauge, unit in ((self._capacity, summary.capacity), (self._reserved, summary.reserved)):
            gauge.labels("milli_cpu").set(unit.milli_cpu)
            gauge.labels("memory_bytes").set(unit.memory_bytes)
            gauge.labels("disk_bytes").set(unit.disk_bytes)

    def engine(self, is_up: bool) -> None:
        """Note whether the engine has answered the last pass."""
        self._engine.set(is_up)

    def workloads(self, states: Iterable[WorkloadState]) -> None:
        """Note the states of all workloads of all leases."""
        counts = Counts(states)
        for state in WorkloadState:
            self._workloads.labels(state.value).set(counts[state])

    def tunnels(self, proved: Iterable[bool]) -> None:
        """Note for each tunnel whether the certificate of its other end was proved, and the gateway has it."""
        counts = Counts(proved)
        self._tunnels.labels("proved").set(counts[True])
        self._tunnels.labels("waiting").set(counts[False])

    def certificate(self, name: str, expires: datetime) -> None:
        """Note until when a certificate is good; `tunnels` is the first of theirs."""
        end = expires.timestamp()
        self._certificates.labels(name).set_function(lambda: (end - self._clock()) / SECONDS_PER_DAY)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        gauge = Gauge(f"moorage_provider_{name}", text, labels, registry=self.registry)
        if not labels:
            gauge.set(math.nan)  # not known yet: 0 would raise alarms
        return gauge

    def _tokens(self, ledger_units: int) -> float:
        return ledger_units / self._one_token

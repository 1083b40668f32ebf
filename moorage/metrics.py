"""What both daemons measure: the chain as they see it, their cycles and their transactions. Labels are bounded.

Each program has a registry of its own: two may live in one process. Nothing decides from these numbers, so floats do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from moorage.chain.jobs import Cause
from moorage.runway import Runway
from moorage.snapshot import Block

CYCLE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OTHER = "other"
"""The label of a value that was not foreseen: strangers must not be able to make new time series."""
TRANSACTIONS = (
    "advertise",
    "claim",
    "confirm_closed",
    "deployment_closed",
    "finish_leases",
    "release_fulfillments",
    "submit_fulfillment",
    "submit_lease",
    "submit_lease_confirmation",
    "submit_stale_lease",
)
LANDED = "landed"
OUTCOMES = (LANDED, *(cause.name.lower() for cause in Cause))
WEI_PER_COIN = 10**18

Clock = Callable[[], float]

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series for each series, of use to nobody here


def bounded(value: str, known: Collection[str]) -> str:
    """Return the value as a label: itself if it is one of those that are known, else `other`."""
    normal = value.lower().replace("-", "_").replace(" ", "_")
    return normal if normal in known else OTHER


def exposition(registry: CollectorRegistry) -> bytes:
    """Return all metrics in Prometheus' text format."""
    text: bytes = generate_latest(registry)
    return text


class ChainMetrics:
    """The chain as the program sees it. Ages grow while nothing arrives: they are taken when somebody looks."""

    def __init__(self, registry: CollectorRegistry, clock: Clock = time.time) -> None:
        self._clock = clock
        self._head: Block | None = None
        self._height = Gauge("moorage_chain_head_block", "Height of the newest block processed", registry=registry)
        age = Gauge("moorage_chain_head_age_seconds", "Time since the newest block processed", registry=registry)
        age.set_function(self._age)
        self._skew = Gauge(
            "moorage_chain_clock_skew_seconds",
            "Host's clock minus the newest block's time when it arrived",
            registry=registry,
        )
        self._answers = Gauge(
            "moorage_chain_endpoint_up", "Whether a node answers, by its place in rpc", ["endpoint"], registry=registry
        )
        self._reorgs = Counter("moorage_chain_reorganisations", "Branches replaced by others", registry=registry)

    def head_processed(self, block: Block) -> None:
        """Count a block that a cycle has been completed for."""
        if self._head is None or self._head.hash != block.hash:
            self._skew.set(self._clock() - block.timestamp)
        self._head = block
        self._height.set(block.number)

    def reorganised(self, count: int) -> None:
        """Count branches that were replaced."""
        self._reorgs.inc(count)

    def endpoint(self, index: int, is_up: bool) -> None:
        """Note whether a node answers; it is named by its place, for addresses may hold tokens."""
        self._answers.labels(str(index)).set(is_up)

    def _age(self) -> float:
        return math.nan if self._head is None else self._clock() - self._head.timestamp


class CycleMetrics:
    """How a program's loop does."""

    def __init__(self, registry: CollectorRegistry, program: str) -> None:
        """
        Args:
            program: `facilitator` or `provider`.
        """
        prefix = f"moorage_{program}"
        self._seconds = Histogram(
            f"{prefix}_cycle_seconds", "Duration of a whole cycle", buckets=CYCLE_BUCKETS, registry=registry
        )
        self._failed = Counter(f"{prefix}_cycles_failed", "Cycles that were given up", registry=registry)
        self._quarantined = Gauge(
            f"{prefix}_items_quarantined", "Items set aside because they fail again and again", registry=registry
        )
        self._intents = Counter(f"{prefix}_intents", "Effects decided on", ["kind"], registry=registry)
        self._draining = Gauge(f"{prefix}_draining", "1 in maintenance mode", registry=registry)
        self._intents_known: Collection[str] = TRANSACTIONS

    def completed(self, seconds: float) -> None:
        """Count a cycle that went to its end."""
        self._seconds.observe(seconds)

    def failed(self) -> None:
        """Count a cycle that did not."""
        self._failed.inc()

    def quarantined(self, count: int) -> None:
        """Note how many items are set aside now."""
        self._quarantined.set(count)

    def intended(self, kind: str, count: int = 1) -> None:
        """Count effects that were decided on, by the name of their transaction."""
        self._intents.labels(bounded(kind, self._intents_known)).inc(count)

    def draining(self, is_draining: bool) -> None:
        """Note whether the program is in maintenance mode."""
        self._draining.set(is_draining)


class TransactionMetrics:
    """What becomes of transactions, and how long the coin for them lasts."""

    def __init__(self, registry: CollectorRegistry, clock: Clock = time.time) -> None:
        self._clock = clock
        self._runway = Runway()
        self._settled = Counter(
            "moorage_transactions", "Transactions by what became of them", ["kind", "outcome"], registry=registry
        )
        self._under_way = Gauge("moorage_transactions_under_way", "Sent and in no block yet", registry=registry)
        self._held = Counter(
            "moorage_transactions_held",
            "Sent, in no block, and kept from higher fees by a limit",
            ["kind"],
            registry=registry,
        )
        for kind in (*TRANSACTIONS, OTHER):  # a series that begins with its first event has no increase
            self._held.labels(kind)
            for outcome in OUTCOMES:
                self._settled.labels(kind, outcome)
        self._replaced = Counter("moorage_transactions_replaced", "Sent again at a higher fee", registry=registry)
        self._fees = Counter("moorage_transactions_fees_spent_coins", "Coin spent on gas", registry=registry)
        self._balance = Gauge("moorage_transactions_coin_balance", "Coin that the key has", registry=registry)
        self._balance.set(math.nan)  # not known yet, or there is no key
        hours = Gauge(
            "moorage_transactions_runway_hours",
            "How long the coin lasts at the rate of the last day; +Inf if nothing is spent",
            registry=registry,
        )
        hours.set_function(lambda: self._runway.hours(self._clock()))

    def landed(self, kind: str) -> None:
        """Count a transaction that took place."""
        self._count(kind, LANDED)

    def rejected(self, kind: str, cause: str) -> None:
        """Count a transaction that did not."""
        self._count(kind, cause)

    def spent(self, wei: int) -> None:
        """Count what gas has cost for good, also that of transactions that reverted."""
        self._fees.inc(wei / WEI_PER_COIN)

    def under_way(self, count: int) -> None:
        """Note how many transactions are sent and in no block."""
        self._under_way.set(count)

    def replaced(self) -> None:
        """Count a fee that was raised."""
        self._replaced.inc()

    def held(self, kind: str) -> None:
        """Count something that is in no block, and whose fees a limit keeps from being raised."""
        self._held.labels(bounded(kind, TRANSACTIONS)).inc()

    def balance(self, wei: int) -> None:
        """Note what the key has; the runway is made of how this falls."""
        self._runway.observe(wei, self._clock())
        self._balance.set(wei / WEI_PER_COIN)

    def _count(self, kind: str, outcome: str) -> None:
        self._settled.labels(bounded(kind, TRANSACTIONS), bounded(outcome, OUTCOMES)).inc()

"""Two daemons as Prometheus sees them over hours, in no time: their real metrics, fed by a clock that a test turns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from prometheus_client import CollectorRegistry

from facilitator_bot.core.summary import summarise as summarise_market
from facilitator_bot.metrics import FacilitatorMetrics
from moorage.snapshot import Block
from moorage.types import ComputeUnit
from provider_agent.core.summary import Summary, summarise
from provider_agent.core.workload_report import WorkloadState
from provider_agent.metrics import ProviderMetrics
from tests.markets import make_account, make_lease, make_order, make_provider, make_snapshot
from tests.promql import NAME, History, Labels

START = 1_700_000_000.0
STEP_SECONDS = 60
BLOCK_SECONDS = 12
ONE = 10**18
PERIOD = 100
LEASED = make_order(0)
SNAPSHOT = make_snapshot(leases=[(LEASED, make_lease(LEASED, charge=ONE))])


@dataclass
class Watched:
    """A provider and a facilitator that do their work; a test spoils what it wants after each step."""

    now: float = START
    is_up: bool = True
    is_chain_alive: bool = True
    skew_seconds: float = 0.0
    confirms: bool = True
    coin_wei: int = 100 * ONE
    wei_per_step: int = 10**12
    history: History = field(default_factory=History)
    times: list[float] = field(default_factory=list)
    summary: Summary = field(init=False)
    blocks_left: int = PERIOD

    def __post_init__(self) -> None:
        def clock() -> float:
            return self.now

        self.provider = ProviderMetrics(18, clock)
        self.facilitator = FacilitatorMetrics(18, clock)
        account = make_account(available=7 * ONE, committed=2 * ONE)
        provider = make_provider(collateral_cap=9 * ONE)
        summary = summarise(SNAPSHOT, provider, account, ComputeUnit(8_000, 8, 9))
        self.summary = replace(summary, period_blocks=PERIOD, slashed=0)
        self.market = summarise_market(SNAPSHOT)
        for name in ("root", "intermediate"):
            self.provider.certificate(name, datetime.fromtimestamp(START, UTC) + timedelta(days=365))

    def step(self) -> None:
        """Let a minute pass in which all goes well, as far as a test lets it."""
        self.now += STEP_SECONDS
        if self.is_chain_alive:
            self._process_blocks()
        for program in (self.provider, self.facilitator):
            program.chain.endpoint(0, True)
            program.transactions.under_way(0)
            program.cycles.draining(False)
            program.cycles.quarantined(0)
            program.transactions.balance(self.coin_wei)
        self.coin_wei -= self.wei_per_step
        renewed = datetime.fromtimestamp(self.now, UTC) + timedelta(hours=16)
        for name in ("server", "client", "tunnels"):
            self.provider.certificate(name, renewed)
        self.provider.engine(True)
        self.provider.workloads([WorkloadState.RUNNING])

    def scrape(self) -> None:
        """Take what Prometheus would take now."""
        samples: dict[Labels, float] = {}
        for job, registry in (("provider", self.provider.registry), ("facilitator", self.facilitator.registry)):
            samples[_labels("up", job)] = float(self.is_up)
            samples |= _samples(registry, job) if self.is_up else {}
        self.history.add(self.now, samples)
        self.times.append(self.now)

    def _process_blocks(self) -> None:
        blocks = STEP_SECONDS // BLOCK_SECONDS
        self.blocks_left -= blocks
        if self.confirms and self.blocks_left <= PERIOD // 2:
            self.blocks_left = PERIOD
            self.provider.transactions.landed("submit_lease_confirmation")
        number = int(self.now - START) // BLOCK_SECONDS
        block = Block(number, number.to_bytes(32, "big"), int(self.now - self.skew_seconds))
        for program in (self.provider, self.facilitator):
            program.chain.head_processed(block)
            program.cycles.completed(0.1)
        self.provider.market(replace(self.summary, blocks_to_deadline=self.blocks_left))
        self.facilitator.market(self.market, ONE)


def _samples(registry: CollectorRegistry, job: str) -> dict[Labels, float]:
    return {
        _labels(sample.name, job, *sample.labels.items()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


@cache
def _labels(name: str, job: str, *labels: tuple[str, str]) -> Labels:
    return frozenset({(NAME, name), ("job", f"moorage-{job}"), ("instance", job), *labels})

"""The facilitator and the agent in this process, as their programs put them together, to be killed and started again.

The agent has the engine in memory and manifests in memory; both are the world outside of it, and outlive it, as does
each daemon's data directory with the journal of what it has sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from eth_account.signers.local import LocalAccount

from facilitator_bot.metrics import FacilitatorMetrics
from facilitator_bot.shell import executor as facilitator_executor
from facilitator_bot.shell.gauges import Gauges as FacilitatorGauges
from facilitator_bot.shell.loop import Crank
from moorage.chain.contracts import Registry
from moorage.chain.heads import HeadFeed
from moorage.chain.market import Market, check_market
from moorage.chain.nodes import HASTY, Nodes
from moorage.chain.outbox import Outbox
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import Rpc
from moorage.chain.signer import LocalSigner, market_calls
from moorage.cycles import run_cycles
from moorage.dispatch import Dispatch
from moorage.health import Health, limit_seconds
from moorage.maintenance import Maintenance
from moorage.measuring import keep_measuring
from moorage.monitor import Monitor
from moorage.snapshot import Block
from moorage.types import Address, ComputeUnit, OrderId, ProviderNumber
from moorage.watchdog import Watchdog
from provider_agent.core.admission import Admission, Limits
from provider_agent.core.advertisement import AdvertisementPolicy, advertised_price
from provider_agent.core.containers import ContainerSpec
from provider_agent.core.endings import Endings
from provider_agent.core.lease_names import LEASE_LABEL, Identity
from provider_agent.core.pricing import PricePolicy
from provider_agent.core.tunnels import TunnelState
from provider_agent.metrics import ProviderMetrics
from provider_agent.shell import executor as agent_executor
from provider_agent.shell.advertiser import ADVERTISE, Advertiser
from provider_agent.shell.gauges import Gauges
from provider_agent.shell.lease_directory import ChainLeases
from provider_agent.shell.loop import MarketLoop, Offer
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner

IMAGE = "web:1"
PRICE = 900
"""What our provider asks for a compute unit and block."""
OFFER = Offer(
    capacity=ComputeUnit(8_000, 2**34, 10**12),
    prices=PricePolicy(Fraction(0), Fraction(0), Fraction(0), PRICE),
    claim_after_blocks=8,
    admission=Admission(Limits(longest_wait_blocks=1_000)),
)
ADVERTISING = AdvertisementPolicy(longest_blocks=40, shortest_blocks=10)
JOURNAL = "transactions.db"


@dataclass
class WatchedEngine(MemoryEngine):
    """Notes what is started, and what is stopped or removed when."""

    started: Counter[str] = field(default_factory=Counter)
    removed: list[tuple[OrderId, str, int]] = field(default_factory=list)
    """Lease, container and the true height at that moment."""
    height: int = 0

    async def ensure_container(self, spec: ContainerSpec) -> None:
        before = self._containers.get(spec.name)
        await super().ensure_container(spec)
        after = self._containers[spec.name]
        if before is None or before.published != after.published:
            self.started[spec.name] += 1

    async def stop_container(self, name: str) -> None:
        self._note_end(name)
        await super().stop_container(name)

    async def remove_container(self, name: str, *, at_once: bool = False) -> None:
        self._note_end(name)
        await super().remove_container(name, at_once=at_once)

    def _note_end(self, name: str) -> None:
        found = self._containers.get(name)
        if found is not None:
            self.removed.append((OrderId(bytes.fromhex(found.label(LEASE_LABEL))), name, self.height))


class Disk(ManifestMemory):
    """Holds manifests, and tells the agent that runs of those that come, as its HTTPS service does."""

    def __init__(self) -> None:
        super().__init__()
        self.tell: Callable[[OrderId], None] = lambda _: None

    async def put(self, lease: OrderId, body: bytes) -> None:
        await super().put(lease, body)
        self.tell(lease)


@dataclass
class Machine:
    """What a provider has besides the program: an engine and a disk."""

    engine: WatchedEngine
    store: Disk

    @classmethod
    def of(cls, identity: Identity) -> Machine:
        return cls(WatchedEngine(identity.labels, clock=lambda: 1_000_000, images={IMAGE}), Disk())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon runs: its nodes, and a data directory that outlives it."""

    market: Market
    urls: Sequence[str]
    feed_url: str | None
    """Of the WebSocket that it listens to, if it does."""
    folder: Path

    def node(self) -> Rpc:
        """Return a client of the one node, or of all, as `moorage.chain.nodes.connect` does."""
        if len(self.urls) == 1:
            return Rpc(self.urls[0])
        return Nodes([Rpc(url, HASTY) for url in self.urls], asyncio.get_running_loop().time)

    def feed(self) -> HeadFeed | None:
        return HeadFeed(self.feed_url) if self.feed_url else None


class _Unsupervised(Watchdog):
    """Would end the process that runs the tests."""

    def alive(self, status: str | None = None) -> None:
        pass


async def run_facilitator(place: Place, account: LocalAccount) -> None:
    """Run a facilitator that never stops by itself."""
    market = place.market
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(place.node())
        await rpc.verify(lambda node: check_market(node, market))
        metrics = FacilitatorMetrics(market.parameters.token_decimals)
        monitor = _monitor(market, metrics)
        signer = LocalSigner(account, market_calls(market, facilitator_executor.PRIORITIES, ()))
        outbox = Outbox(rpc, signer, market.chain_id, place.folder / JOURNAL, observer=monitor)
        dispatch = Dispatch(await stack.enter_async_context(outbox))
        reader, maintenance = MarketReader(rpc, market), Maintenance(place.folder)
        monitor.watch(rpc, reader.index, dispatch, maintenance)
        crank = Crank(reader, dispatch, maintenance)
        gauges = FacilitatorGauges(metrics, reader.exchange, Address(account.address), lambda: crank.newest)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_measuring(gauges.measure, stop))
            await run_cycles(rpc, stop, crank.cycle, monitor, place.feed())


async def run_agent(place: Place, operator: LocalAccount, provider: ProviderNumber, machine: Machine) -> None:
    """Run an agent without its HTTPS service: manifests appear in its store."""
    market = place.market
    identity = Identity(market.chain_id, market.exchange, provider)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(place.node())
        await rpc.verify(lambda node: check_market(node, market))
        metrics = ProviderMetrics(market.parameters.token_decimals)
        monitor = _monitor(market, metrics)
        reader, registry = MarketReader(rpc, market, provider), Registry(rpc, market)
        signer = LocalSigner(operator, market_calls(market, agent_executor.PRIORITIES, [ADVERTISE]))
        outbox = Outbox(rpc, signer, market.chain_id, place.folder / JOURNAL, observer=monitor)
        dispatch = Dispatch(await stack.enter_async_context(outbox))
        maintenance = Maintenance(place.folder)
        monitor.watch(rpc, reader.index, dispatch, maintenance)
        price = advertised_price(OFFER.prices)
        advertiser = Advertiser(registry, provider, OFFER.capacity, price, ADVERTISING)
        market_loop = MarketLoop(
            reader,
            registry,
            dispatch,
            provider,
            OFFER,
            maintenance,
            advertiser,
            lambda each: workloads.note(each),
        )
        runner = WorkloadRunner(machine.engine, MemoryGateways(), clock=lambda: 1_000_000)
        versions = ChainLeases(reader).versions
        again = asyncio.Event()
        workloads = WorkloadLoop(rpc, reader.exchange, identity, runner, machine.store, versions, Endings(), again.set)
        machine.store.tell = workloads.delivered
        gauges = Gauges(
            metrics,
            reader.exchange,
            registry,
            provider,
            OFFER.capacity,
            lambda: market_loop.newest,
            workloads,
            _NoTunnels(),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(workloads.run(stop))
            tasks.create_task(keep_measuring(gauges.measure, stop))

            async def cycle() -> Block:
                return await market_loop.cycle(workloads.reset, workloads.held)

            await run_cycles(rpc, stop, cycle, monitor, place.feed(), again=again)


class _NoTunnels:
    """Of leases in one datacenter."""

    keys_expire = None

    def all_states(self) -> tuple[TunnelState, ...]:
        return ()


def _monitor(market: Market, metrics: FacilitatorMetrics | ProviderMetrics) -> Monitor:
    clock = asyncio.get_running_loop().time
    health = Health(limit_seconds(float(market.seconds_per_block)), clock)
    return Monitor(metrics.chain, metrics.cycles, metrics.transactions, health, _Unsupervised(0))

"""An agent's workload loop over the engine in memory and a chain that is whatever a test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from moorage import manifest
from moorage.manifest import Compute, Manifest, ManifestGroup, Workload
from moorage.snapshot import Block, Snapshot
from moorage.types import Address, Lease, OrderId, OrderState, ProviderNumber, Version
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from provider_agent.core.lease_names import Identity
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.proofs import final_block
from tests.markets import UNIT, US, make_lease, make_order, make_snapshot

IDENTITY = Identity(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"), US)
ORDER, OTHER_ORDER = make_order(0), make_order(1)
LEASE, OTHER_LEASE = ORDER.id, OTHER_ORDER.id
FINAL_AFTER_BLOCKS = 10


def body(image: str = "web:1", memory: int = UNIT.memory_bytes) -> bytes:
    workload = Workload(
        name="web",
        image=image,
        command=None,
        args=(),
        env={},
        user=None,
        read_only=False,
        resource_group=0,
        compute=Compute(milli_cpu=UNIT.milli_cpu, memory_bytes=memory, disk_bytes=UNIT.disk_bytes),
        count=1,
        depends_on=(),
        connections=(),
        health=None,
        storage={"/data": 1_000},
        host=(),
        secrets={},
        credentials=None,
    )
    group = ManifestGroup(name="dock", workloads=(workload,))
    return manifest.encode(Manifest(format="0.1", salt="00" * 32, groups=(group,)))


@dataclass
class World:
    """An agent without a node and without an engine, which may be restarted."""

    leases: dict[OrderId, Lease] = field(default_factory=dict)
    """At the newest block."""
    final: dict[OrderId, Lease | Exception | None] = field(default_factory=dict)
    """At the newest final block."""
    fault: Exception | None = None
    """What asking for the final block meets."""
    versions: dict[OrderId, list[Version]] = field(default_factory=dict)
    store: ManifestMemory = field(default_factory=ManifestMemory)
    asked: list[Block] = field(default_factory=list)
    block: int = 1_000
    now: int = 1_000_000
    """Unix time."""

    def __post_init__(self) -> None:
        self.engine = MemoryEngine(IDENTITY.labels, clock=lambda: self.now, images={"web:1", "web:2", DEFAULT_IMAGE})
        self.gateways = MemoryGateways()
        self.restart()

    def restart(self) -> None:
        self.runner = WorkloadRunner(self.engine, self.gateways, clock=lambda: self.now, pass_seconds=5)
        self.loop = WorkloadLoop(
            self,  # type: ignore[arg-type]
            self.exchange,  # type: ignore[arg-type]
            IDENTITY,
            self.runner,
            self.store,
            lambda lease: self.versions.get(lease, ()),
        )

    @property
    def exchange(self) -> Any:
        world = self

        class Exchange:
            def through(self, node: World) -> Exchange:
                assert node is world
                return self

            async def leases(self, block: Block, leases: Sequence[OrderId]) -> list[Lease | None]:
                world.asked.append(block)
                found = [world.final.get(lease) for lease in leases]
                if any(isinstance(each, Exception) for each in found):
                    raise next(each for each in found if isinstance(each, Exception))
                return found  # type: ignore[return-value]

        return Exchange()

    async def call(self, method: str, tag: str, full: bool, kind: Any) -> Any:
        assert (method, tag) == ("eth_getBlockByNumber", "finalized")
        if self.fault is not None:
            raise self.fault
        final = final_block(self.block - FINAL_AFTER_BLOCKS)
        found = {"number": final.number.to_bytes(4, "big"), "hash": final.hash, "parentHash": bytes(32)}
        return msgspec.convert(
            {name: f"0x{raw.hex()}" for name, raw in found.items()} | {"timestamp": hex(final.timestamp)}, kind
        )

    @property
    def nodes(self) -> tuple[World, ...]:
        return (self,)

    async def checked(self, place: int) -> World:
        return self.nodes[place]

    def snapshot(self) -> Snapshot:
        orders = {LEASE: ORDER, OTHER_LEASE: OTHER_ORDER}
        return make_snapshot(self.block, leases=[(orders[lease], each) for lease, each in self.leases.items()])

    async def deliver(self, lease: OrderId = LEASE, encoded: bytes | None = None) -> None:
        encoded = encoded or body()
        self.versions.setdefault(lease, []).append(manifest.version_of(encoded))
        await self.store.put(lease, encoded)
        self.loop.delivered(lease)

    async def passes(self, count: int = 1) -> None:
        """Let the agent make passes, each in a block of its own."""
        for _ in range(count):
            self.block += 1
            self.loop.note(self.snapshot())
            await self.loop.try_pass()

    async def versions_seen(self) -> list[str]:
        return [dict(each.labels)["moorage.version"] for each in (await self.engine.observe()).containers]


def active(order: Any = ORDER, provider: ProviderNumber = US) -> Lease:
    return make_lease(order, provider=provider)


def ended(state: OrderState, order: Any = ORDER, provider: ProviderNumber = US) -> Lease:
    return make_lease(order, state=state, provider=provider)

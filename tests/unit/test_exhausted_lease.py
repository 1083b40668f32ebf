"""A lease whose money is used up: its containers stop, its data stays, and funding brings it back."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from moorage import manifest
from moorage.manifest import Compute, Connection, Manifest, ManifestGroup, Workload
from moorage.snapshot import Snapshot
from moorage.types import Address, OrderId
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from provider_agent.core.lease_names import Identity
from provider_agent.core.tunnels import Edge, Tunnel, TunnelState
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.markets import UNIT, US, make_lease, make_order, make_snapshot

IDENTITY = Identity(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"), US)
ORDER = make_order()
OPEN = Connection(port=80, protocol="tcp", workload=None, datacenter=None, is_global=True)


class ChainWithout:
    """A node that is not asked: nothing that is known has ended."""

    nodes = ()


def body(*connections: Connection, elsewhere: bool = False) -> bytes:
    workload = Workload(
        name="db",
        image="db:1",
        command=None,
        args=(),
        env={},
        user=None,
        read_only=False,
        resource_group=0,
        compute=Compute(milli_cpu=UNIT.milli_cpu, memory_bytes=UNIT.memory_bytes, disk_bytes=UNIT.disk_bytes),
        count=1,
        depends_on=(),
        connections=connections,
        health=None,
        storage={"/data": 1_000},
        host=(),
        secrets={},
        credentials=None,
    )
    names = ("dock", "elsewhere") if elsewhere else ("dock",)
    groups = tuple(ManifestGroup(name=name, workloads=(workload,)) for name in names)
    return manifest.encode(Manifest(format="0.1", salt=secrets.token_hex(32), groups=groups))


def snapshot_at(block: int, funded_block: int) -> Snapshot:
    lease = make_lease(ORDER, confirmed_block=1_000, funded_block=funded_block)
    return make_snapshot(block, leases=[(ORDER, lease)])


@pytest.mark.parametrize(("connections", "gateways"), [((), 0), ((OPEN,), 1)])
async def test_workload_loop__lease_is_exhausted__pauses_its_containers_until_it_is_funded(
    connections: tuple[Connection, ...], gateways: int
) -> None:
    engine = MemoryEngine(IDENTITY.labels, lambda: 0, images={"db:1", DEFAULT_IMAGE})
    runner = WorkloadRunner(engine, MemoryGateways(), lambda: 0.0)
    store, sent = ManifestMemory(), body(*connections)
    await store.put(ORDER.id, sent)
    chain: Any = ChainWithout()
    loop = WorkloadLoop(chain, chain, IDENTITY, runner, store, lambda _: [manifest.version_of(sent)])

    states, refusals = [], []
    for block, funded_block in ((1_010, 1_020), (1_020, 1_020), (1_021, 1_500)):
        loop.note(snapshot_at(block, funded_block))
        await loop.try_pass()
        seen = await engine.observe()
        states.append(
            (len(seen.containers) - gateways * bool(seen.containers), len(seen.networks) > 0, len(seen.volumes))
        )
        refusals += [report.reason for lease in loop.wanted for report in runner.reports(lease)]

    assert states == [(1, True, 1), (0, False, 1), (1, True, 1)]
    assert set(refusals) == {None}


class Wishes:
    """Stands in for the overlay, and notes which connections it is to look after."""

    def __init__(self) -> None:
        self.wanted: list[tuple[Edge, ...]] = []

    def want(self, lease: OrderId, edges: tuple[Edge, ...]) -> None:
        self.wanted.append(edges)

    def forget(self, lease: OrderId) -> None: ...

    def states(self, lease: OrderId) -> tuple[TunnelState, ...]:
        return ()

    def siblings(self, lease: OrderId, edges: tuple[Edge, ...]) -> tuple[Tunnel, ...]:
        return ()


async def test_workload_loop__lease_is_exhausted__has_no_tunnels_until_it_is_funded() -> None:
    engine = MemoryEngine(IDENTITY.labels, lambda: 0, images={"db:1", DEFAULT_IMAGE})
    afar = Connection(port=5432, protocol="tcp", workload="db", datacenter=None, is_global=True)
    store, sent, wishes = ManifestMemory(), body(afar, elsewhere=True), Wishes()
    await store.put(ORDER.id, sent)
    chain: Any = ChainWithout()
    runner = WorkloadRunner(engine, MemoryGateways(), lambda: 0.0)
    versions = [manifest.version_of(sent)]
    loop = WorkloadLoop(chain, chain, IDENTITY, runner, store, lambda _: versions, overlay=wishes)

    for block, funded_block in ((1_010, 1_020), (1_020, 1_020), (1_021, 1_500)):
        loop.note(snapshot_at(block, funded_block))
        await loop.try_pass()

    assert [len(edges) for edges in wishes.wanted] == [2, 0, 2]


async def test_i24_workload_loop__agent_starts_anew__knows_what_shall_run_only_after_it_has_looked() -> None:
    engine = MemoryEngine(IDENTITY.labels, lambda: 0, images={"db:1"})
    store, sent = ManifestMemory(), body()
    await store.put(ORDER.id, sent)
    chain: Any = ChainWithout()
    runner = WorkloadRunner(engine, MemoryGateways(), lambda: 0.0)
    loop = WorkloadLoop(chain, chain, IDENTITY, runner, store, lambda _: [manifest.version_of(sent)])

    await loop.try_pass()
    before = loop.has_looked, len(loop.wanted)
    loop.note(snapshot_at(1_010, 1_020))
    await loop.try_pass()

    assert before == (False, 0)
    assert (loop.has_looked, len(loop.wanted)) == (True, 1)

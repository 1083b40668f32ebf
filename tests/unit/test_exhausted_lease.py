"""A lease whose money is used up: its containers stop, its data stays, and funding brings it back."""

from __future__ import annotations

import secrets
from typing import Any

from moorage import manifest
from moorage.manifest import Compute, Manifest, ManifestGroup, Workload
from moorage.snapshot import Snapshot
from moorage.types import Address
from provider_agent.core.workloads import Identity
from provider_agent.shell.manifest_store import ManifestMemory
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.markets import UNIT, US, make_lease, make_order, make_snapshot

IDENTITY = Identity(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"), US)
ORDER = make_order()


class ChainWithout:
    """A node that is not asked: nothing that is known has ended."""

    nodes = ()


def body() -> bytes:
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
        connections=(),
        health=None,
        storage={"/data": 1_000},
        host=(),
    )
    group = ManifestGroup(name="dock", workloads=(workload,))
    return manifest.encode(Manifest(format="0.1", salt=secrets.token_hex(32), groups=(group,)))


def snapshot_at(block: int, funded_block: int) -> Snapshot:
    lease = make_lease(ORDER, confirmed_block=1_000, funded_block=funded_block)
    return make_snapshot(block, leases=[(ORDER, lease)])


async def test_workload_loop__lease_is_exhausted__pauses_its_containers_until_it_is_funded() -> None:
    engine = MemoryEngine(IDENTITY.labels, lambda: 0, images={"db:1"})
    runner = WorkloadRunner(engine, "127.0.0.1", lambda: 0.0)
    store, sent = ManifestMemory(), body()
    await store.put(ORDER.id, sent)
    chain: Any = ChainWithout()
    loop = WorkloadLoop(chain, chain, IDENTITY, runner, store, lambda _: [manifest.version_of(sent)])

    states = []
    for block, funded_block in ((1_010, 1_020), (1_020, 1_020), (1_021, 1_500)):
        loop.note(snapshot_at(block, funded_block))
        await loop.try_pass()
        seen = await engine.observe()
        states.append((len(seen.containers), len(seen.volumes)))

    assert states == [(1, 1), (0, 1), (1, 1)]

"""A lease whose money is used up: its containers stop, its data stays, and funding brings it back."""

from __future__ import annotations

import secrets
from typing import Any

from moorage import manifest
from moorage.manifest import Compute, Manifest, ManifestGroup, Workload
from moorage.snapshot import Snapshot
from moorage.types import Address, Lease
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

    async def leases(self, *_: Any) -> list[Lease]:
        return []

    async def call(self, *_: Any) -> dict[str, str]:
        return {"number": "0x1", "hash": "0x" + "00" * 32, "timestamp": "0x1"}


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
    newest = [snapshot_at(1_010, funded_block=1_020)]
    loop = WorkloadLoop(
        chain, chain, IDENTITY, runner, store, lambda _: [manifest.version_of(sent)], lambda: newest[-1]
    )

    states = []
    for snapshot in (newest[0], snapshot_at(1_020, funded_block=1_020), snapshot_at(1_021, funded_block=1_500)):
        newest.append(snapshot)
        await loop._try_pass(snapshot)
        seen = await engine.observe()
        states.append((len(seen.containers), len(seen.volumes)))

    assert states == [(1, 1), (0, 1), (1, 1)]

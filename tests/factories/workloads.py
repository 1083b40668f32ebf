"""Manifests, leases and containers for tests: each argument that matters is given, the rest is plain."""

from __future__ import annotations

from typing import Any

from moorage.manifest import Compute, Connection, Manifest, ManifestGroup, Workload
from moorage.types import Address, OrderId, ProviderNumber, Version
from provider_agent.core.lease_names import Identity
from provider_agent.core.workloads import DesiredLease, desired_lease

IDENTITY = Identity(31337, Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"), ProviderNumber(7))
LEASE = OrderId(bytes.fromhex("ab" * 32))
OTHER_LEASE = OrderId(bytes.fromhex("cd" * 32))
VERSION = Version(bytes.fromhex("01" * 32))
NEXT_VERSION = Version(bytes.fromhex("02" * 32))
GROUP = "westcoast"


def connection(
    port: int, workload: str | None = None, *, everywhere: bool = False, datacenter: str | None = None
) -> Connection:
    """Return who may come in: everybody if no workload is named."""
    return Connection(
        port=port,
        protocol="http" if port == 80 else "tcp",
        workload=workload,
        datacenter=datacenter,
        is_global=everywhere or workload is None,
    )


def workload(name: str, *connections: Connection, **changes: Any) -> Workload:
    """Return a workload with an image of its own name."""
    fields: dict[str, Any] = {
        "name": name,
        "image": f"example/{name}:1",
        "command": None,
        "args": (),
        "env": {},
        "user": None,
        "read_only": False,
        "resource_group": 0,
        "compute": Compute(milli_cpu=250, memory_bytes=64 << 20, disk_bytes=1_000_000_000),
        "count": 1,
        "depends_on": (),
        "connections": connections,
        "health": None,
        "storage": {},
        "host": (),
        "secrets": {},
        "credentials": None,
    }
    return Workload(**{**fields, **changes})


def manifest(*workloads: Workload, **others: tuple[Workload, ...]) -> Manifest:
    """Return a manifest: the workloads of the group GROUP, and those of other groups by name."""
    groups = [ManifestGroup(name=GROUP, workloads=workloads)]
    groups += [ManifestGroup(name=name, workloads=there) for name, there in others.items()]
    return Manifest(format="0.1", salt="00" * 32, groups=tuple(groups))


def lease_of(*workloads: Workload, version: Version = VERSION, lease: OrderId = LEASE) -> DesiredLease:
    """Return what has to run for a lease of one group."""
    return desired_lease(IDENTITY, lease, manifest(*workloads), GROUP, version)

"""Decides what a lease's gateway does: which names and ports it offers to whom, and where they lead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from moorage.manifest import Manifest, ManifestGroup, Workload
from moorage.workload_health import Health
from provider_agent.core.tunnels import connections_of, edges_of

TUNNELS = "tunnels"
"""Stands where a publication has its workload and port: the port that tunnels come in by."""


@dataclass(frozen=True, slots=True)
class Door:
    """A name and a port that a workload here may connect to."""

    consumer: str
    server: str
    port: int
    is_local: bool
    """Whether the server's replicas in this datacenter answer."""
    datacenters: tuple[str, ...]
    """The others whose replicas answer, through tunnels."""


@dataclass(frozen=True, slots=True)
class Service:
    """A port of a workload here that somebody may connect to, or that tells whether the workload works."""

    workload: str
    port: int
    replicas: int
    health: Health | None = None
    """How its replicas are checked; None: by connecting to the port."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A port of a workload here that is open to everybody."""

    workload: str
    port: int
    protocol: str

    @property
    def key(self) -> str:
        return f"{self.workload}:{self.port}"


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    doors: tuple[Door, ...]
    services: tuple[Service, ...]
    publications: tuple[Publication, ...]
    takes_tunnels: bool
    """Whether workloads of other datacenters may connect to one here."""
    hosts: tuple[tuple[str, str], ...] = ()
    """Workload and a host name of the tenant's own, under which its http and https are to be found."""

    @property
    def is_needed(self) -> bool:
        return bool(self.doors or self.services)

    @property
    def gives_tunnels(self) -> bool:
        return any(door.datacenters for door in self.doors)


def plan_gateway(manifest: Manifest, here: str) -> GatewayPlan:
    """Return what the gateway of a lease does.

    Args:
        here: the group of the lease; the manifest has it.
    """
    group = next(candidate for candidate in manifest.groups if candidate.name == here)
    return GatewayPlan(
        doors=tuple(_doors(manifest, group)),
        services=tuple(_services(manifest, group)),
        publications=tuple(
            sorted(
                {
                    Publication(workload.name, connection.port, connection.protocol)
                    for workload in group.workloads
                    for connection in workload.connections
                    if connection.workload is None
                },
                key=lambda each: (each.workload, each.port),
            )
        ),
        takes_tunnels=any(edge.server_group == here for edge in edges_of(manifest, here)),
        hosts=tuple((workload.name, host) for workload in group.workloads for host in sorted(workload.host)),
    )


def _doors(manifest: Manifest, group: ManifestGroup) -> Iterator[Door]:
    leading: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for edge in connections_of(manifest):
        if edge.consumer_group == group.name:
            leading[edge.consumer, edge.server, edge.port].add(edge.server_group)
    for (consumer, server, port), groups in sorted(leading.items()):
        yield Door(consumer, server, port, group.name in groups, tuple(sorted(groups - {group.name})))


def _services(manifest: Manifest, group: ManifestGroup) -> Iterator[Service]:
    reachable = {(edge.server, edge.port) for edge in connections_of(manifest) if edge.server_group == group.name}
    for workload in sorted(group.workloads, key=lambda each: each.name):
        check = workload.health if workload.health is not None and workload.health.port is not None else None
        ports = {port for server, port in reachable if server == workload.name} | _published(workload)
        asked = {check.port} if check is not None and check.port is not None else set()
        yield from (Service(workload.name, port, workload.count, check) for port in sorted(ports | asked))


def _published(workload: Workload) -> set[int]:
    return {connection.port for connection in workload.connections if connection.workload is None}

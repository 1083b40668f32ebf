"""Decides which containers and networks a lease needs: from its manifest, and from nothing else.

A connection that is allowed gets an internal network of its own, on which only the server and the consumer are, the
server under its workload's name. So nothing reaches a workload unless the manifest says so. What a network cannot tell
apart yet: the port that was allowed from the others of the server, the direction, and the replicas of one workload.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from moorage.manifest import Connection, Manifest, ManifestGroup, Workload
from moorage.types import Address, OrderId, ProviderNumber, Version
from provider_agent.core.containers import (
    Attachment,
    ContainerSpec,
    Labels,
    NetworkSpec,
    VolumeMount,
    sorted_labels,
)

LEASE_LABEL = "moorage.lease"
SMALLEST_SUBNET = 16
RESERVED_ADDRESSES = 3
"""Of a subnet: its own, the gateway's and the broadcast address."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose containers these are: one provider on one exchange."""

    chain_id: int
    exchange: Address
    provider: ProviderNumber

    @property
    def labels(self) -> Labels:
        """The labels on everything of this provider, and on nothing else."""
        return (
            ("moorage.chain", str(self.chain_id)),
            ("moorage.exchange", self.exchange),
            ("moorage.provider", str(self.provider)),
        )

    @property
    def tag(self) -> str:
        """8 hex digits that keep the names of several providers on one engine apart."""
        text = f"{self.chain_id},{self.exchange},{self.provider}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class DesiredWorkload:
    """A workload's containers, and what the engine does not need to know but its tenant does."""

    name: str
    replicas: tuple[ContainerSpec, ...]
    protocols: tuple[tuple[int, str], ...]
    """Published port -> protocol."""
    missing: tuple[str, ...]
    """The connections that the manifest allows and that are not up, in words."""


@dataclass(frozen=True, slots=True)
class DesiredLease:
    lease: OrderId
    version: Version
    workloads: tuple[DesiredWorkload, ...]
    """Each after those that it depends on."""
    networks: tuple[NetworkSpec, ...]

    @property
    def containers(self) -> tuple[ContainerSpec, ...]:
        return tuple(container for workload in self.workloads for container in workload.replicas)


def desired_lease(
    identity: Identity, lease: OrderId, manifest: Manifest, group_name: str, version: Version
) -> DesiredLease:
    """Return what has to run for a lease.

    Args:
        manifest: as `moorage.manifest.decode` accepted it, and checked against the lease.
        group_name: the lease's group; the manifest has it.
        version: of the manifest.
    """
    group = next(candidate for candidate in manifest.groups if candidate.name == group_name)
    names = _Names(identity, lease, version)
    links = tuple(_links(names, group))
    attachments = _attachments(names, group, links)
    missing = _missing_connections(manifest, group_name)
    workloads = tuple(
        _desired_workload(names, group_name, workload, attachments[workload.name], missing[workload.name])
        for workload in _in_order(group)
    )
    return DesiredLease(lease, version, workloads, _networks(names, group, links))


def _in_order(group: ManifestGroup) -> Iterator[Workload]:
    """Yield the workloads after their dependencies, and by name where nothing else decides."""
    workloads = {workload.name: workload for workload in group.workloads}
    sorter = TopologicalSorter({workload.name: workload.depends_on for workload in group.workloads})
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from (workloads[name] for name in ready)
        sorter.done(*ready)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names and labels of a lease's objects: the same after every restart of the agent."""

    identity: Identity
    lease: OrderId
    version: Version

    def container(self, workload: str, replica: int) -> str:
        return self._name("mw", f"{workload}-{replica}")

    def volume(self, workload: str, replica: int, path: str) -> str:
        return self._name("mv", f"{workload}-{replica}-{hashlib.sha256(path.encode()).hexdigest()[:8]}")

    def connection(self, server: str, port: int, consumer: str) -> str:
        return self._name("mn", f"{server}.{port}.{consumer}")

    def public(self) -> str:
        return self._name("mn", "public")

    def labels(self, **more: str) -> Labels:
        labels = {f"moorage.{key}": value for key, value in more.items()}
        return sorted_labels({**dict(self.identity.labels), LEASE_LABEL: self.lease.hex(), **labels})

    def _name(self, kind: str, rest: str) -> str:
        # the whole id: a tenant could find another lease with the same first digits, and take its volumes over
        return f"{kind}-{self.identity.tag}-{self.lease.hex()}-{rest}"


@dataclass(frozen=True, slots=True)
class _Link:
    """A connection within this datacenter."""

    network: str
    server: str
    consumer: str


def _links(names: _Names, group: ManifestGroup) -> Iterator[_Link]:
    here = {workload.name for workload in group.workloads}
    for server in group.workloads:
        for connection in server.connections:
            consumer = connection.workload
            if consumer is not None and consumer in here and _admits(connection, group.name):
                yield _Link(names.connection(server.name, connection.port, consumer), server.name, consumer)


def _attachments(names: _Names, group: ManifestGroup, links: Sequence[_Link]) -> dict[str, tuple[Attachment, ...]]:
    """Return the networks of each workload: the public one first, then by name."""
    linked: dict[str, dict[str, Attachment]] = {workload.name: {} for workload in group.workloads}
    for link in links:
        linked[link.consumer][link.network] = Attachment(link.network, None)
        linked[link.server][link.network] = Attachment(link.network, link.server)
    public = (Attachment(names.public(), None),)
    return {
        workload.name: (public if _published(workload) else ())
        + tuple(attachment for _, attachment in sorted(linked[workload.name].items()))
        for workload in group.workloads
    }


def _networks(names: _Names, group: ManifestGroup, links: Sequence[_Link]) -> tuple[NetworkSpec, ...]:
    """Return the connections' networks, and one for published ports if there are any."""
    counts = {workload.name: workload.count for workload in group.workloads}
    members = {link.network: counts[link.server] + counts[link.consumer] for link in links}
    networks = {name: NetworkSpec(name, names.labels(), True, _subnet_size(members[name])) for name in members}
    published = sum(workload.count for workload in group.workloads if _published(workload))
    if published:
        networks[names.public()] = NetworkSpec(names.public(), names.labels(), False, _subnet_size(published))
    return tuple(networks[name] for name in sorted(networks))


def _missing_connections(manifest: Manifest, here: str) -> defaultdict[str, set[str]]:
    """Return the connections with other datacenters, by workload of ours: they need tunnels, which do not exist yet."""
    groups_of: defaultdict[str, list[str]] = defaultdict(list)
    for group in manifest.groups:
        for workload in group.workloads:
            groups_of[workload.name].append(group.name)
    missing: defaultdict[str, set[str]] = defaultdict(set)
    for there, server, connection, consumer in _global_connections(manifest):
        for origin in groups_of[consumer]:
            if origin == there or not _admits(connection, origin):
                continue
            if there == here:
                missing[server].add(f"port {connection.port} from {consumer} in {origin} needs a tunnel")
            elif origin == here:
                missing[consumer].add(f"{server}:{connection.port} in {there} needs a tunnel")
    return missing


def _global_connections(manifest: Manifest) -> Iterator[tuple[str, str, Connection, str]]:
    """Yield group, server, connection and consumer of each connection that may cross datacenters."""
    for group in manifest.groups:
        for server in group.workloads:
            for connection in server.connections:
                if connection.workload is not None and connection.is_global:
                    yield group.name, server.name, connection, connection.workload


def _desired_workload(
    names: _Names, group: str, workload: Workload, attachments: tuple[Attachment, ...], missing: set[str]
) -> DesiredWorkload:
    return DesiredWorkload(
        workload.name,
        tuple(_container(names, group, workload, attachments, replica) for replica in range(workload.count)),
        tuple(sorted(_published(workload).items())),
        tuple(sorted(missing)),
    )


def _container(
    names: _Names, group: str, workload: Workload, attachments: tuple[Attachment, ...], replica: int
) -> ContainerSpec:
    mounts = (VolumeMount(names.volume(workload.name, replica, path), path) for path in sorted(workload.storage))
    return ContainerSpec(
        name=names.container(workload.name, replica),
        labels=names.labels(workload=workload.name, replica=str(replica), version=names.version.hex()),
        image=workload.image,
        hostname=f"{workload.name}-{replica}",
        command=workload.command,
        args=workload.args,
        env=_environment(names, group, workload, replica),
        user=workload.user,
        is_read_only=workload.read_only,
        milli_cpu=workload.compute.milli_cpu,
        memory_bytes=workload.compute.memory_bytes,
        attachments=attachments,
        published_ports=tuple(sorted(_published(workload))),
        mounts=tuple(mounts),
        mount_labels=names.labels(workload=workload.name, replica=str(replica)),
        restarts=0,
    )


def _environment(names: _Names, group: str, workload: Workload, replica: int) -> tuple[tuple[str, str], ...]:
    """Return the tenant's variables; those that say where a workload runs are the agent's and win."""
    ours = {
        "MOORAGE_LEASE": names.lease.hex(),
        "MOORAGE_PROVIDER": str(names.identity.provider),
        "MOORAGE_DATACENTER": group,
        "MOORAGE_WORKLOAD": workload.name,
        "MOORAGE_REPLICA": str(replica),
    }
    return tuple(sorted({**workload.env, **ours}.items()))


def _published(workload: Workload) -> dict[int, str]:
    """Return the ports that are open to everybody, with their protocols."""
    return {connection.port: connection.protocol for connection in workload.connections if connection.workload is None}


def _admits(connection: Connection, group: str) -> bool:
    return connection.datacenter in (None, group)


def _subnet_size(members: int) -> int:
    """Return the smallest power of two that has an address for each member."""
    return max(SMALLEST_SUBNET, 1 << (members + RESERVED_ADDRESSES - 1).bit_length())

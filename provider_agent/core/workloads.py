"""Decides which containers and networks a lease needs: from its manifest, and from nothing else.

Every workload is on a network of its own, on which nobody else is but the lease's gateway. For each name that it may
connect to it is on one more, and there the gateway has that name. So nothing reaches a workload but through the
gateway, which offers what the manifest allows (see core.gateway).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter

from moorage.manifest import Manifest, ManifestGroup, Workload
from moorage.types import OrderId, Version
from moorage.workload_health import Health
from provider_agent.core.containers import (
    Attachment,
    ContainerSpec,
    NetworkKind,
    NetworkSpec,
    SecretFiles,
    VolumeMount,
)
from provider_agent.core.gateway import Door, GatewayPlan, plan_gateway
from provider_agent.core.image_names import ImageRequest, image_requests
from provider_agent.core.lease_names import Identity, LeaseNames
from provider_agent.core.tunnels import Edge, Tunnel, edges_of

SMALLEST_SUBNET = 16
RESERVED_ADDRESSES = 4
"""Of a subnet: its own, the engine's, the one at GATEWAY_PLACE and the broadcast address."""
GATEWAY_PLACE = 2
FIRST_PLACE = 3
"""Of the others on a network."""


@dataclass(frozen=True, slots=True)
class DesiredWorkload:
    name: str
    replicas: tuple[ContainerSpec, ...]
    depends_on: tuple[str, ...] = ()
    """Workloads of the lease that have to be up before it is made."""
    beside: tuple[ContainerSpec, ...] = ()
    """Of its new version, beside replicas of the one before; this and the next are as core.updates decides."""
    held: frozenset[str] = frozenset()
    """Names of replicas that go on with the version that they have."""


@dataclass(frozen=True, slots=True)
class DesiredGateway:
    names: LeaseNames
    plan: GatewayPlan
    attachments: tuple[Attachment, ...]
    """To the lease's inner networks; those to the outside are the provider's to decide, see gateway_container."""
    beside: tuple[tuple[str, int, bool], ...] = ()
    """Workload and replica beside which another container runs, and whether that serves, too."""
    draining: tuple[tuple[str, int], ...] = ()
    """Workload and replica that is about to be replaced: what is connected goes on, nothing new comes."""
    others: tuple[tuple[str, int, Health | None], ...] = ()
    """Workload and place of what runs in another version, and how that is checked: a new check is not for it."""
    passages: tuple[str, ...] = ()
    """Networks by which tunnels of leases of the same provider come in, see core.siblings."""

    @property
    def apart(self) -> frozenset[tuple[str, int]]:
        """Workload and place of what is checked in a section of its own."""
        return frozenset((workload, place) for workload, place, _ in self.others)


@dataclass(frozen=True, slots=True)
class DesiredLease:
    lease: OrderId
    version: Version
    workloads: tuple[DesiredWorkload, ...]
    """Each after those that it depends on."""
    networks: tuple[NetworkSpec, ...]
    gateway: DesiredGateway | None = None
    """None: no workload may be reached by another or from outside."""
    images: tuple[ImageRequest, ...] = ()
    """What its workloads' containers are made of."""
    gateway_container: ContainerSpec | None = None
    """Made of it by gateway_container.with_gateway, as soon as it is known which ports it has; the rest likewise."""
    addresses: tuple[tuple[str, str], ...] = ()
    """Workload and where it is reached from outside."""
    portless: tuple[str, ...] = ()
    """What did not get a port of the host, as core.gateway names it."""
    edges: tuple[Edge, ...] = ()
    """Its connections with other datacenters."""
    siblings: tuple[Tunnel, ...] = ()
    """Those of them whose other side is a lease of the same provider."""

    @property
    def workload_containers(self) -> tuple[ContainerSpec, ...]:
        return tuple(each for workload in self.workloads for each in (*workload.beside, *workload.replicas))

    def workload_of(self, spec: ContainerSpec) -> DesiredWorkload | None:
        """Return the workload that a container is a replica of; None: it is the gateway."""
        return next(
            (each for each in self.workloads if any(spec.name == one.name for one in (*each.replicas, *each.beside))),
            None,
        )

    @property
    def containers(self) -> tuple[ContainerSpec, ...]:
        """In the order in which they are to be started: names are there before the workloads that look for them."""
        ours = (self.gateway_container,) if self.gateway_container is not None else ()
        return (*ours, *self.workload_containers)


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
    names = LeaseNames(identity, lease, version)
    salt = bytes.fromhex(manifest.salt)
    plan = plan_gateway(manifest, group_name)
    workloads = tuple(
        DesiredWorkload(
            workload.name,
            tuple(_container(names, group_name, workload, plan, replica, salt) for replica in range(workload.count)),
            workload.depends_on,
        )
        for workload in _in_order(group)
    )
    networks = {network.name: network for network in _networks(names, group, plan)}
    return DesiredLease(
        lease,
        version,
        workloads,
        tuple(networks[name] for name in sorted(networks)),
        _gateway(names, plan),
        images=image_requests(group),
        edges=edges_of(manifest, group_name),
    )


def _in_order(group: ManifestGroup) -> Iterator[Workload]:
    """Yield the workloads after their dependencies, and by name where nothing else decides."""
    workloads = {workload.name: workload for workload in group.workloads}
    sorter = TopologicalSorter({workload.name: workload.depends_on for workload in group.workloads})
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from (workloads[name] for name in ready)
        sorter.done(*ready)


def _attachments(names: LeaseNames, workload: Workload, plan: GatewayPlan, replica: int) -> Iterator[Attachment]:
    """Yield the networks of a container: its workload's own, and one for each name that it may connect to."""
    yield Attachment(names.own(workload.name), None, FIRST_PLACE + replica)
    for network in sorted({names.way(door.consumer, door.server) for door in _doors_of(plan, workload)}):
        yield Attachment(network, None, FIRST_PLACE + replica)


def _doors_of(plan: GatewayPlan, workload: Workload) -> Iterator[Door]:
    return (door for door in plan.doors if door.consumer == workload.name)


def _networks(names: LeaseNames, group: ManifestGroup, plan: GatewayPlan) -> Iterator[NetworkSpec]:
    for workload in group.workloads:
        members = {
            names.own(workload.name),
            *(names.way(each.consumer, each.server) for each in _doors_of(plan, workload)),
        }
        for network in members:
            yield NetworkSpec(network, names.labels(), NetworkKind.INTERNAL, subnet_size(workload.count))


def _gateway(names: LeaseNames, plan: GatewayPlan) -> DesiredGateway | None:
    if not plan.is_needed:
        return None
    served = sorted({names.own(service.workload) for service in plan.services})
    offered = sorted({(names.way(door.consumer, door.server), door.server) for door in plan.doors})
    attachments = (
        *(Attachment(network, None, GATEWAY_PLACE) for network in served),
        *(Attachment(network, server, GATEWAY_PLACE) for network, server in offered),
    )
    return DesiredGateway(names, plan, attachments)


def _container(
    names: LeaseNames, group: str, workload: Workload, plan: GatewayPlan, replica: int, salt: bytes
) -> ContainerSpec:
    mounts = (
        VolumeMount(names.volume(workload.name, replica, path), path, size)
        for path, size in sorted(workload.storage.items())
    )
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
        attachments=tuple(_attachments(names, workload, plan, replica)),
        published_ports=(),
        mounts=tuple(mounts),
        mount_labels=names.labels(workload=workload.name, replica=str(replica)),
        restarts=0,
        layer_bytes=workload.compute.disk_bytes - sum(workload.storage.values()),
        secrets=_secrets(workload, salt),
        health=workload.health,
        is_job=workload.is_job,
    )


def _secrets(workload: Workload, salt: bytes) -> SecretFiles | None:
    """Return a workload's secrets; their fingerprint is made with what only those know who have the manifest."""
    if not workload.secrets:
        return None
    files = tuple((name, secret.value) for name, secret in sorted(workload.secrets.items()))
    return SecretFiles(files, hmac.new(salt, json.dumps(files).encode(), hashlib.sha256).hexdigest())


def _environment(names: LeaseNames, group: str, workload: Workload, replica: int) -> tuple[tuple[str, str], ...]:
    """Return the tenant's variables; those that say where a workload runs are the agent's and win."""
    ours = {
        "MOORAGE_LEASE": names.lease.hex(),
        "MOORAGE_PROVIDER": str(names.identity.provider),
        "MOORAGE_DATACENTER": group,
        "MOORAGE_WORKLOAD": workload.name,
        "MOORAGE_REPLICA": str(replica),
    }
    return tuple(sorted({**workload.env, **ours}.items()))


def subnet_size(replicas: int) -> int:
    """Return the smallest power of two that has room for a workload, and for its next version beside it."""
    return max(SMALLEST_SUBNET, 1 << (2 * replicas + RESERVED_ADDRESSES - 1).bit_length())

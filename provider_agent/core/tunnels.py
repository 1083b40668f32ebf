"""Decides which tunnels a lease has: one for each connection that the manifest allows between two datacenters.

Both agents of a tunnel derive it from the same manifest and the same leases on chain, so that nothing has to be agreed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from itertools import product

from moorage.manifest import Manifest
from moorage.types import OrderId, ProviderNumber

TUNNEL_ID_CHARACTERS = 32
BROADCAST = ip_network("240.0.0.0/4")
"""Reserved, with the address that means everybody."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The way of one workload of one lease to one port of a workload of another lease."""

    server_lease: OrderId
    server: str
    port: int
    consumer_lease: OrderId
    consumer: str

    @property
    def id(self) -> str:
        """32 hex digits that both sides know it by."""
        ends = self.server_lease + self.consumer_lease + self.port.to_bytes(2)
        names = f"{self.server}/{self.consumer}".encode()  # neither has a slash
        return hashlib.sha256(ends + names).hexdigest()[:TUNNEL_ID_CHARACTERS]


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A connection that the manifest allows from a workload of one group to a workload of another."""

    server_group: str
    server: str
    port: int
    consumer_group: str
    consumer: str


@dataclass(frozen=True, slots=True)
class Participant:
    """An active lease of a deployment."""

    lease: OrderId
    provider: ProviderNumber
    group: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a tunnel's certificate is for: the three parts of its subject, which the other side's proxy compares."""

    organisation: str
    """The tunnel's id."""
    unit: str
    """The lease, 64 hex digits."""
    common_name: str
    """The workload."""


@dataclass(frozen=True, slots=True)
class OutboundTunnel:
    """The consumer's end, with everything that a gateway needs to open it."""

    tunnel: Tunnel
    address: tuple[str, int]
    """Where the other side's gateway listens."""
    server_name: str
    """What is asked for by SNI, and has to be in the certificate that answers."""
    credential_pem: bytes = field(repr=False)
    """Key, certificate and intermediates of this end."""
    roots_pem: bytes = field(repr=False)
    """The other provider's roots, as they are on chain: nothing else is trusted."""


@dataclass(frozen=True, slots=True)
class InboundTunnel:
    """The server's end, with everything that a gateway needs to answer."""

    tunnel: Tunnel
    server_name: str
    credential_pem: bytes = field(repr=False)
    roots_pem: bytes = field(repr=False)

    @property
    def expected(self) -> Subject:
        """The subject that the other side's certificate must have."""
        return Subject(self.tunnel.id, self.tunnel.consumer_lease.hex(), self.tunnel.consumer)


TunnelEnd = OutboundTunnel | InboundTunnel


@dataclass(frozen=True, slots=True)
class TunnelState:
    """How far agents have come with a tunnel."""

    tunnel: Tunnel
    is_server: bool
    """Whether the server is on our side."""
    peer: Participant
    fault: str | None
    """Why it was not given to the gateway, for people."""


def connections_of(manifest: Manifest) -> Iterator[Edge]:
    """Yield every connection between two workloads that a manifest allows.

    What a connection of the manifest means is decided here and nowhere else:
      a service                    its replicas in the same datacenter as the server
      a service, global            also those in the deployment's other datacenters, or only in the one that is named
      global                       everybody, which is nothing between workloads
    """
    groups_of: defaultdict[str, list[str]] = defaultdict(list)
    for group in manifest.groups:
        for workload in group.workloads:
            groups_of[workload.name].append(group.name)
    for group in manifest.groups:
        for server, connection in ((each, one) for each in group.workloads for one in each.connections):
            consumer = connection.workload
            if consumer is None:
                continue
            for origin in groups_of[consumer]:
                is_near = origin == group.name or connection.is_global
                if is_near and connection.datacenter in (None, origin):
                    yield Edge(group.name, server.name, connection.port, origin, consumer)


def edges_of(manifest: Manifest, here: str) -> tuple[Edge, ...]:
    """Return the connections between workloads of a group and those of the others, in one order."""
    every = ((edge, {edge.server_group, edge.consumer_group}) for edge in connections_of(manifest))
    return tuple(sorted({edge for edge, groups in every if len(groups) == 2 and here in groups}))


def tunnels_of(edges: Iterable[Edge], lease: OrderId, leases: Iterable[Participant]) -> tuple[Tunnel, ...]:
    """Return the tunnels that begin or end at a lease, in one order.

    Args:
        edges: of the lease's group, see `edges_of`.
        leases: the participants of the deployment, the lease itself among them.
    """
    leases_of: defaultdict[str, list[OrderId]] = defaultdict(list)
    for each in leases:
        leases_of[each.group].append(each.lease)
    found = (
        Tunnel(server_lease, edge.server, edge.port, consumer_lease, edge.consumer)
        for edge in edges
        for server_lease, consumer_lease in product(leases_of[edge.server_group], leases_of[edge.consumer_group])
        if lease in (server_lease, consumer_lease)
    )
    return tuple(sorted(set(found), key=lambda tunnel: tunnel.id))


def loses_a_root(before_pem: bytes, after_pem: bytes) -> bool:
    """Return whether a root that vouched for the other side is gone, so that live connections have to end.

    Which of several roots a connection rests on cannot be told afterwards: all of the tunnel's are cut.
    """
    return not set(_certificates(after_pem)).issuperset(_certificates(before_pem))


def _certificates(pem: bytes) -> list[bytes]:
    return [part.strip() for part in pem.split(b"-----END CERTIFICATE-----") if part.strip()]


def is_reachable(host: str) -> bool:
    """Return whether another datacenter may be sent to a host: a numeric address that is not special to whoever has it.

    Private addresses count: providers may share a network. Where a gateway may go is for the host's firewall to say.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return False
    is_local = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    return not is_local and address not in BROADCAST and getattr(address, "ipv4_mapped", None) is None

"""Leads tunnels between two leases of one provider past the host's ports: engines let no front reach another.

The server's lease has a network for each such lease whose workloads connect to it, with the two gateways on it and
nobody else. The other gateway is a guest there as long as the network is seen to be, so that neither lease waits for
the other, and each is removed by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from moorage.types import OrderId
from provider_agent.core.containers import Attachment, NetworkKind, NetworkSpec, ObservedNetwork
from provider_agent.core.gateway import TUNNELS
from provider_agent.core.gateway_container import ports_of
from provider_agent.core.workloads import FIRST_PLACE, GATEWAY_PLACE, SMALLEST_SUBNET, DesiredLease

GUEST_PLACE = FIRST_PLACE


def servers_of(lease: DesiredLease) -> frozenset[OrderId]:
    """Return the leases of the same provider that workloads of a lease connect to."""
    return frozenset(each.server_lease for each in lease.siblings if each.consumer_lease == lease.lease)


def clients_of(lease: DesiredLease) -> frozenset[OrderId]:
    """Return the leases of the same provider whose workloads connect to a lease."""
    return frozenset(each.consumer_lease for each in lease.siblings if each.server_lease == lease.lease)


def with_siblings(lease: DesiredLease, seen: Collection[str]) -> DesiredLease:
    """Return a lease with its networks for leases of the same provider, and its gateway on those that are there.

    Args:
        seen: names of networks, of the lease itself and of its `servers_of`.
    """
    gateway = lease.gateway
    if gateway is None or not lease.siblings:
        return lease
    names = gateway.names
    own = sorted(names.passage(client) for client in clients_of(lease))
    others = sorted(replace(names, lease=server).passage(lease.lease) for server in servers_of(lease))
    attachments = (
        *gateway.attachments,
        *(Attachment(network, None, GATEWAY_PLACE) for network in own if network in seen),
        *(Attachment(network, None, GUEST_PLACE) for network in others if network in seen),
    )
    networks = (NetworkSpec(each, names.labels(), NetworkKind.INTERNAL, SMALLEST_SUBNET) for each in own)
    passages = tuple(each for each in own if each in seen)
    return replace(
        lease,
        networks=(*lease.networks, *networks),
        gateway=replace(gateway, attachments=attachments, passages=passages),
    )


def passage_address(
    lease: DesiredLease, client: OrderId, networks: Iterable[ObservedNetwork]
) -> tuple[str, int] | None:
    """Return where a lease's gateway takes tunnels of another lease of the same provider; None: it does not yet.

    Args:
        lease: as gateway_container.with_gateway returns it.
        networks: that were seen of it.
    """
    port = ports_of(lease).get(TUNNELS)
    if lease.gateway is None or port is None:
        return None
    name = lease.gateway.names.passage(client)
    found = (str(each.address(GATEWAY_PLACE)) for each in networks if each.name == name)
    address = next(found, None) if name in lease.gateway.passages else None
    return (address, port) if address is not None else None

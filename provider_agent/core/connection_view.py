"""Tells a tenant how each connection of its workloads is, and where the other side is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from provider_agent.core.gateway import TUNNELS
from provider_agent.core.gateway_state import ConnectionReport, ConnectionState, TunnelReport
from provider_agent.core.tunnels import Edge, TunnelState
from provider_agent.core.workloads import DesiredLease


@dataclass(frozen=True, slots=True, order=True)
class ConnectionView:
    """A connection as one of its two workloads sees it."""

    workload: str
    """Here."""
    is_out: bool
    name: str
    """`server:port`."""
    other: str
    """The workload at the other side."""
    datacenter: str
    """Of the other side."""
    state: ConnectionState
    reason: str | None


def connection_views(
    lease: DesiredLease,
    here: str,
    local: Iterable[ConnectionReport],
    tunnels: Iterable[TunnelState],
    reports: Iterable[TunnelReport],
) -> tuple[ConnectionView, ...]:
    """Return all connections of a lease's workloads.

    Args:
        here: the lease's group.
        local: those within the datacenter.
        tunnels: those with others, as far as agents have come with them.
        reports: what the gateway says of tunnels that begin here.
    """
    known = tuple(tunnels)
    reported = {each.id: each for each in reports}
    held = {each.peer.group for each in known}
    found = {
        *_local_views(here, local),
        *(_tunnel_view(each, lease, reported) for each in known),
        *(_lonely_view(edge, here) for edge in lease.edges if _other_group(edge, here) not in held),
    }
    return tuple(sorted(found))


def _local_views(here: str, local: Iterable[ConnectionReport]) -> Iterator[ConnectionView]:
    for each in local:
        name = f"{each.server}:{each.port}"
        yield ConnectionView(each.consumer, True, name, each.server, here, each.state, each.reason)
        yield ConnectionView(each.server, False, name, each.consumer, here, each.state, each.reason)


def _tunnel_view(each: TunnelState, lease: DesiredLease, reported: Mapping[str, TunnelReport]) -> ConnectionView:
    tunnel = each.tunnel
    name, there = f"{tunnel.server}:{tunnel.port}", each.peer.group
    if each.is_server:
        reason = "no port of the host is left for tunnels" if TUNNELS in lease.portless else each.fault
        state = ConnectionState.UP if reason is None else ConnectionState.WAITING
        return ConnectionView(tunnel.server, False, name, tunnel.consumer, there, state, reason)
    if each.fault is not None:
        return ConnectionView(tunnel.consumer, True, name, tunnel.server, there, ConnectionState.WAITING, each.fault)
    report = reported.get(tunnel.id)
    if report is None:
        reason = "the gateway does not have the tunnel yet"
        return ConnectionView(tunnel.consumer, True, name, tunnel.server, there, ConnectionState.WAITING, reason)
    return ConnectionView(tunnel.consumer, True, name, tunnel.server, there, report.state, report.reason)


def _lonely_view(edge: Edge, here: str) -> ConnectionView:
    """Return a connection with a datacenter that no provider runs at the moment."""
    name, there = f"{edge.server}:{edge.port}", _other_group(edge, here)
    reason = f"nobody has a lease for {there} at the moment"
    if edge.server_group == here:
        return ConnectionView(edge.server, False, name, edge.consumer, there, ConnectionState.WAITING, reason)
    return ConnectionView(edge.consumer, True, name, edge.server, there, ConnectionState.WAITING, reason)


def _other_group(edge: Edge, here: str) -> str:
    return edge.consumer_group if edge.server_group == here else edge.server_group

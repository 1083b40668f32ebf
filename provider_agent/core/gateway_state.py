"""Reads from a gateway's statistics (HAProxy's `show stat`) how each connection is, with the reason if it is not up."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from provider_agent.core.containers import HealthState
from provider_agent.core.gateway import Door, GatewayPlan
from provider_agent.core.gateway_config import LeaseTunnels, door_name, is_fit, leads_from
from provider_agent.core.tunnel_config import replicas_name
from provider_agent.core.tunnels import OutboundTunnel

Row = Mapping[str, str]
Statistics = Mapping[tuple[str, str], Row]
"""By section and server."""

UNCHECKED = ("", "INI")
WORDS = {
    "L4CON": "the connection is refused",
    "L4TOUT": "no answer",
    "L6TOUT": "no answer to TLS",
    "L6RSP": "TLS fails",
    "L7TOUT": "no answer through the tunnel",
    "L7RSP": "an odd answer through the tunnel",
    "L7STS": "no replica of it is up there",
    "SOCKERR": "no way there",
}
"""HAProxy's codes of what a check found (management guide 9.1, check_status)."""


class ConnectionState(StrEnum):
    UP = "up"
    DOWN = "down"
    WAITING = "waiting"
    """Nothing is known yet: no look at it has ended, or the other datacenter's agent was not heard of."""


_HEALTH = {
    ConnectionState.UP: HealthState.HEALTHY,
    ConnectionState.DOWN: HealthState.UNHEALTHY,
    ConnectionState.WAITING: HealthState.STARTING,
}


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """One name and port that a workload may connect to."""

    consumer: str
    server: str
    port: int
    state: ConnectionState
    reason: str | None
    """Why it is not up."""


@dataclass(frozen=True, slots=True)
class TunnelReport:
    """A tunnel that begins here."""

    id: str
    state: ConnectionState
    reason: str | None


def read_statistics(answer: str) -> Statistics:
    """Return the rows that `show stat` answered with."""
    table = csv.DictReader(answer.removeprefix("# ").splitlines())
    return {(row["pxname"], row["svname"]): row for row in table if row.get("svname")}


def replica_health(
    plan: GatewayPlan, statistics: Statistics | None, apart: Collection[tuple[str, int]] = ()
) -> dict[tuple[str, int], HealthState]:
    """Return how the replicas are whose health the gateway looks at, by workload and replica.

    Args:
        apart: which of them are checked in a section of their own; as in another they are not known.
    """
    found: dict[tuple[str, int], HealthState] = {}
    for service in plan.services:
        if service.health is not None and service.port == service.health.port:
            found.update({(service.workload, index): HealthState.STARTING for index in range(service.replicas)})
            for section, server, row in _rows(service.workload, service.port, statistics or {}):
                place = int(server[1:])
                alone = place if (service.workload, place) in apart else None
                if section == replicas_name(service.workload, service.port, alone):
                    found[service.workload, place] = _HEALTH[_state(row)]
    return found


def tunnel_reports(
    tunnels: LeaseTunnels, statistics: Statistics | None, here: str | None = None
) -> tuple[TunnelReport, ...]:
    """Return how the tunnels are that begin here.

    Args:
        statistics: None: the gateway does not answer.
        here: the address of this host that others are told.
    """
    return tuple(TunnelReport(each.tunnel.id, *_tunnel_state(each, statistics, here)) for each in tunnels.outbound)


def connection_reports(
    plan: GatewayPlan, tunnels: LeaseTunnels, statistics: Statistics | None
) -> tuple[ConnectionReport, ...]:
    """Return how the connections are that workloads of a lease may make."""
    return tuple(
        ConnectionReport(door.consumer, door.server, door.port, *_door_state(door, tunnels, statistics))
        for door in plan.doors
    )


def local_reports(plan: GatewayPlan, statistics: Statistics | None) -> tuple[ConnectionReport, ...]:
    """Return how the connections are whose server is in the same datacenter, tunnels apart."""
    near = replace(plan, doors=tuple(replace(door, datacenters=()) for door in plan.doors if door.is_local))
    return connection_reports(near, LeaseTunnels(), statistics)


def _rows(server: str, port: int, statistics: Statistics) -> Iterator[tuple[str, str, Row]]:
    """Yield what is told of a port's replicas, with the sections that check them."""
    name = replicas_name(server, port)
    for (section, place), row in statistics.items():
        if f"{section}_".startswith(f"{name}_") and place != "BACKEND":
            yield section, place, row


def _door_state(door: Door, tunnels: LeaseTunnels, statistics: Statistics | None) -> tuple[ConnectionState, str | None]:
    if statistics is None or (door_name(door), "FRONTEND") not in statistics:
        return ConnectionState.WAITING, "the gateway is not up yet"
    states = list(_ways(door, tunnels, statistics))
    for wanted in (ConnectionState.UP, ConnectionState.DOWN, ConnectionState.WAITING):
        reasons = [reason for state, reason in states if state is wanted]
        if reasons:
            return wanted, None if wanted is ConnectionState.UP else "; ".join(dict.fromkeys(filter(None, reasons)))
    return ConnectionState.WAITING, f"no tunnel yet to {', '.join(door.datacenters)}"


def _ways(door: Door, tunnels: LeaseTunnels, statistics: Statistics) -> Iterator[tuple[ConnectionState, str | None]]:
    if door.is_local:
        yield _best([row for _, _, row in _rows(door.server, door.port, statistics)])
    for tunnel in tunnels.outbound:
        if leads_from(tunnel.tunnel, door):
            yield _tunnel_state(tunnel, statistics)


def _best(rows: Sequence[Row]) -> tuple[ConnectionState, str | None]:
    states = [_state(row) for row in rows]
    for wanted in (ConnectionState.UP, ConnectionState.WAITING):
        if wanted in states:
            return wanted, None if wanted is ConnectionState.UP else "not looked at yet"
    reasons = dict.fromkeys(_reason(row) for row in rows)
    return ConnectionState.DOWN, f"in this datacenter: {', '.join(reasons)}"


def _tunnel_state(
    tunnel: OutboundTunnel, statistics: Statistics | None, here: str | None = None
) -> tuple[ConnectionState, str | None]:
    if not is_fit(tunnel):
        return ConnectionState.DOWN, "the other agent told an address that is none"
    row = statistics.get((f"check_{tunnel.tunnel.id}", "end")) if statistics is not None else None
    if row is None:
        return ConnectionState.WAITING, "the gateway does not have the tunnel yet"
    state = _state(row)
    host, port = tunnel.address
    match state:
        case ConnectionState.UP:
            return state, None
        case ConnectionState.WAITING:
            return state, "not looked at yet"
        case _:
            reason = _reason(row)
            if host == here and reason == WORDS["L4TOUT"]:
                reason += " (it is on this host, too, where gateways of two providers do not reach each other)"
            return state, f"through the tunnel to {host}:{port}: {reason}"


def _state(row: Row) -> ConnectionState:
    if row["check_status"].removeprefix("* ") in UNCHECKED:
        return ConnectionState.WAITING
    return ConnectionState.UP if row["status"].startswith("UP") else ConnectionState.DOWN


def _reason(row: Row) -> str:
    code = row["check_status"].removeprefix("* ")
    return WORDS.get(code, row.get("check_desc") or code)

"""Writes the configuration of a lease's gateway (HAProxy 2.6): a pure function of plan, addresses, ports and tunnels.

What is listened to is bound to one address each, so that a workload finds on its networks what it was allowed and
nothing else. Sessions of TLS are never resumed: a resumed one would bypass the roots of the name that it asks for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address

from moorage.workload_health import Health
from provider_agent.core.containers import ObservedNetwork
from provider_agent.core.gateway import TUNNELS, Door, Publication, Service
from provider_agent.core.gateway_container import (
    ADMIN_SOCKET,
    CONFIG_FILE,
    CONFIG_PATH,
    CURRENT,
    RUN_PATH,
    GatewaySite,
    routed,
)
from provider_agent.core.ports import PortRange, Ports, choose_ports
from provider_agent.core.tunnel_config import (
    CHECKS,
    check_section,
    inbound_frontend,
    inbound_list,
    inbound_section,
    replica_followers,
    replicas_section,
    tunnel_files,
    tunnel_server,
)
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, Tunnel, TunnelEnd, loses_a_root
from provider_agent.core.workloads import FIRST_PLACE, GATEWAY_PLACE, DesiredGateway

MAX_CONNECTIONS = 2_000
OUTSIDE_CONNECTIONS = 1_500
"""Of them for all ports that strangers can reach, in equal parts: the rest is for the lease's own workloads."""
MAX_OLD_WORKERS = 32
"""Each reload leaves one for as long as connections of before last; they take memory."""
DIRECTORY = f"{CONFIG_PATH}/{CURRENT}"
TUNNEL_LIST = "tunnels.list"
EDGE_PORTS = PortRange(1_024, 65_535)

_NAME = re.compile(r"[a-z0-9.-]{1,253}")


@dataclass(frozen=True, slots=True)
class LeaseTunnels:
    """The tunnels that a gateway has the certificates for."""

    outbound: tuple[OutboundTunnel, ...] = ()
    inbound: tuple[InboundTunnel, ...] = ()

    @classmethod
    def of(cls, ends: Iterable[TunnelEnd]) -> LeaseTunnels:
        """Return the ends of tunnels by their kind."""
        every = tuple(ends)
        return cls(
            tuple(each for each in every if isinstance(each, OutboundTunnel)),
            tuple(each for each in every if isinstance(each, InboundTunnel)),
        )


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    files: Mapping[str, bytes]

    @property
    def credentials(self) -> dict[str, bytes]:
        """Keys and certificates: they can be exchanged in a process that runs."""
        return {name: content for name, content in self.files.items() if name.endswith(".pem")}

    @property
    def digest(self) -> str:
        """What a process says that it runs. Two configurations that differ in credentials alone have the same."""
        found = re.search(r"^ {2}description (\w+)$", self._text, re.MULTILINE)
        return found[1] if found is not None else ""

    @property
    def servers(self) -> dict[tuple[str, str], str]:
        """The servers that connections can be with, by section and name, each with its line."""
        found: dict[tuple[str, str], str] = {}
        section = ""
        for line in self._text.splitlines():
            words = line.split()
            if words and not line.startswith(" "):
                section = words[-1]
            elif words[:1] == ["server"]:
                found[section, words[1]] = line
        return found

    @property
    def _text(self) -> str:
        return self.files.get(CONFIG_FILE, b"").decode()


def lost_servers(before: GatewayConfig, after: GatewayConfig) -> tuple[tuple[str, str], ...]:
    """Return the servers, by section and name, whose connections have to end when a configuration follows another.

    They are those that are not there any more, and those of tunnels of which a root is not trusted any more. What only
    checks replicas is left out: those that follow it would close with it, and may just be checked elsewhere.
    """
    distrusted = {
        name.removesuffix(".ca")
        for name, roots in before.files.items()
        if name.endswith(".ca") and loses_a_root(roots, after.files.get(name, b""))
    }
    remaining = after.servers
    return tuple(
        (section, server)
        for section, server in before.servers
        if not section.startswith(CHECKS)
        and (
            (section, server) not in remaining or {section.removeprefix("in_"), server.removeprefix("t_")} & distrusted
        )
    )


def _fit_outbound(tunnels: LeaseTunnels, inside: Collection[IPv4Network]) -> list[OutboundTunnel]:
    """Return the tunnels that may be written: nothing that another agent says becomes configuration unseen.

    Args:
        inside: the lease's own networks: on them no firewall is between the gateway and what was not declared.
    """
    given = sorted(tunnels.outbound, key=lambda each: each.tunnel.id)
    return [each for each in given if is_fit(each) and not any(ip_address(each.address[0]) in net for net in inside)]


def _fit_inbound(tunnels: LeaseTunnels, gateway: DesiredGateway, ports: Ports) -> list[InboundTunnel]:
    if TUNNELS not in ports:
        return []
    given = sorted(tunnels.inbound, key=lambda each: each.tunnel.id)
    served = {(service.workload, service.port) for service in gateway.plan.services}
    return [each for each in given if is_fit(each) and (each.tunnel.server, each.tunnel.port) in served]


class AddressesMissing(Exception):
    """A network that the gateway needs is not there."""


def render(
    gateway: DesiredGateway,
    site: GatewaySite,
    networks: Iterable[ObservedNetwork],
    ports: Ports,
    tunnels: LeaseTunnels = LeaseTunnels(),
) -> GatewayConfig:
    """Return the files of a gateway, by name.

    Raises:
        AddressesMissing: not all of its networks are there.
    """
    subnets = {each.name: each.subnet for each in networks}
    outbound, inbound = _fit_outbound(tunnels, subnets.values()), _fit_inbound(tunnels, gateway, ports)
    written = _Writer(gateway, site, subnets, ports, outbound, inbound)
    body = "\n".join(written.sections())
    crt_list = inbound_list(inbound, DIRECTORY)
    files = tunnel_files([*outbound, *inbound])
    roots = sorted((name, content) for name, content in files.items() if name.endswith(".ca"))
    digest = hashlib.sha256(f"{GLOBAL}\0{body}\0{crt_list}\0{roots}".encode()).hexdigest()[:32]
    return GatewayConfig(
        {
            CONFIG_FILE: f"{GLOBAL.format(digest=digest)}\n{body}".encode(),
            TUNNEL_LIST: crt_list.encode(),
            **files,
        }
    )


def edge_ports(gateway: DesiredGateway, site: GatewaySite) -> dict[str, int]:
    """Return on which ports of its address on the edge's network a gateway has what is found by host name."""
    keys = [each.key for each in routed(gateway.plan, site)]
    return choose_ports(gateway.names.lease, keys, {}, (), EDGE_PORTS)


GLOBAL = f"""\
global
  description {{digest}}
  nbthread 1
  maxconn {MAX_CONNECTIONS}
  log stderr format raw daemon err
  stats socket {RUN_PATH}/{ADMIN_SOCKET} mode 600 level admin expose-fd listeners
  mworker-max-reloads {MAX_OLD_WORKERS}
  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-server-options ssl-min-ver TLSv1.3 no-tls-tickets

defaults
  mode tcp
  option clitcpka
  option srvtcpka
  option redispatch 1
  retries 2
  timeout connect 5s
  timeout check 5s
  timeout client 24h
  timeout server 24h
  timeout tunnel 24h
  default-server no-ssl-reuse fastinter 500ms downinter 1s rise 1 fall 2
"""


@dataclass(frozen=True, slots=True)
class _Writer:
    gateway: DesiredGateway
    site: GatewaySite
    subnets: Mapping[str, IPv4Network]
    ports: Ports
    outbound: Sequence[OutboundTunnel]
    inbound: Sequence[InboundTunnel]

    def sections(self) -> Iterator[str]:
        plan, names = self.gateway.plan, self.gateway.names
        for service in plan.services:
            yield from self._checks(service)
        for door in plan.doors:
            yield self._door(door)
        yield from (check_section(tunnel, DIRECTORY) for tunnel in self.outbound)
        by_name = edge_ports(self.gateway, self.site)
        for publication in plan.publications:
            if publication.key in by_name:
                yield self._published(publication, f"{self._here(names.edge())}:{by_name[publication.key]}")
            elif publication.key in self.ports:
                yield self._published(publication, f"{self._here(names.front())}:{self.ports[publication.key]}")
        if self.inbound:
            doors = (names.front(), *self.gateway.passages)
            binds = (f"{self._here(each)}:{self.ports[TUNNELS]}" for each in doors)
            yield inbound_frontend(binds, f"{DIRECTORY}/{TUNNEL_LIST}", self._share)
        for tunnel in self.inbound:
            yield inbound_section(tunnel, self._followers(tunnel.tunnel.server, tunnel.tunnel.port))

    def _checks(self, service: Service) -> Iterator[str]:
        """Yield the sections that check a port: what runs in another version goes on being checked as that said."""
        others, name, port = self._others(service.workload), service.workload, service.port
        replicas = dict(enumerate(self._replicas(name)))
        current = {place: address for place, address in replicas.items() if place not in others}
        if current:
            yield replicas_section(name, port, current, service.health)
        for place, health in others.items():
            yield replicas_section(name, port, {place: replicas[place]}, health, apart=place)

    def _door(self, door: Door) -> str:
        here = self._here(self.gateway.names.way(door.consumer, door.server))
        lines = [f"listen {door_name(door)}\n  bind {here}:{door.port}\n  option allbackups\n"]
        if door.is_local:
            lines += self._followers(door.server, door.port)
        lines += [
            tunnel_server(tunnel, DIRECTORY, is_backup=door.is_local)
            for tunnel in self.outbound
            if leads_from(tunnel.tunnel, door)
        ]
        return "".join(lines)

    def _published(self, publication: Publication, address: str) -> str:
        head = f"listen public_{publication.workload}_{publication.port}\n  bind {address}\n"
        head += f"  maxconn {self._share}\n"
        return head + "".join(self._followers(publication.workload, publication.port))

    @property
    def _share(self) -> int:
        """How many connections each port can have that strangers can reach."""
        return OUTSIDE_CONNECTIONS // max(1, len(self.gateway.plan.publications) + self.gateway.plan.takes_tunnels)

    def _followers(self, workload: str, port: int) -> Iterator[str]:
        idle, draining = self._idle(workload), self._draining(workload)
        return replica_followers(workload, port, self._replicas(workload), idle, draining, self._others(workload))

    def _replicas(self, workload: str) -> Sequence[str]:
        """Return the addresses of the replicas, then those of containers beside them."""
        subnet, count = self._subnet(self.gateway.names.own(workload)), self._count(workload)
        places = [*range(count), *(count + replica for name, replica, _ in self.gateway.beside if name == workload)]
        return [str(subnet[FIRST_PLACE + place]) for place in places]

    def _idle(self, workload: str) -> frozenset[int]:
        """Return which of them are looked at alone, and do not serve."""
        beside = [serves for name, _, serves in self.gateway.beside if name == workload]
        return frozenset(self._count(workload) + index for index, serves in enumerate(beside) if not serves)

    def _draining(self, workload: str) -> frozenset[int]:
        return frozenset(replica for name, replica in self.gateway.draining if name == workload)

    def _others(self, workload: str) -> dict[int, Health | None]:
        return {place: health for name, place, health in self.gateway.others if name == workload}

    def _count(self, workload: str) -> int:
        (count,) = {service.replicas for service in self.gateway.plan.services if service.workload == workload}
        return count

    def _here(self, network: str) -> IPv4Address:
        """Return the gateway's own address on a network."""
        return self._subnet(network)[GATEWAY_PLACE]

    def _subnet(self, network: str) -> IPv4Network:
        if network not in self.subnets:
            raise AddressesMissing(f"the network {network} is not there")
        return self.subnets[network]


def door_name(door: Door) -> str:
    """Return how HAProxy calls a door; names of workloads have no underscore."""
    return f"to_{door.consumer}_{door.server}_{door.port}"


def leads_from(tunnel: Tunnel, door: Door) -> bool:
    """Return whether a tunnel is one that a door uses."""
    return (tunnel.consumer, tunnel.server, tunnel.port) == (door.consumer, door.server, door.port)


def is_fit(end: OutboundTunnel | InboundTunnel) -> bool:
    """Return whether what another agent may have said of a tunnel can stand in a configuration."""
    if _NAME.fullmatch(end.server_name) is None:
        return False
    if isinstance(end, InboundTunnel):
        return True
    host, port = end.address
    try:
        ip_address(host)
    except ValueError:
        return False
    return 0 < port < 2**16

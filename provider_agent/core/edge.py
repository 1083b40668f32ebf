"""Decides what the provider's edge does: http and https on shared ports, led to the leases' gateways by host name.

https is not opened: the name that TLS asks for (SNI) says where the bytes go.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from provider_agent.core.containers import (
    ROLE_LABEL,
    Attachment,
    ContainerSpec,
    NetworkKind,
    NetworkSpec,
    ObservedNetwork,
    PublishedPort,
    sorted_labels,
)
from provider_agent.core.gateway_config import GLOBAL, GatewayConfig, edge_ports
from provider_agent.core.gateway_container import (
    CONFIG_FILE,
    CONFIG_PATH,
    CURRENT,
    EdgeSite,
    GatewaySite,
    proxy_container,
    routed,
)
from provider_agent.core.lease_names import Identity
from provider_agent.core.workloads import FIRST_PLACE, GATEWAY_PLACE, SMALLEST_SUBNET, DesiredLease

EDGE_PLACE = FIRST_PLACE
"""On each lease's edge network."""
EDGE_ROLE = "edge"
OWNERS_FILE = "owners"
DIRECTORY = "edge"
"""Where its files are, beside those of the leases' gateways."""

OF_A_SOURCE = 200
"""Connections at once of one address outside, of MAX_CONNECTIONS in all."""
OF_A_LEASE = 500
"""Connections at once that lead to one lease, so that it can't take those of all others."""


@dataclass(frozen=True, slots=True)
class Route:
    """A host name and where it leads."""

    host: str
    protocol: str
    network: str
    address: IPv4Address
    port: int

    @property
    def name(self) -> str:
        """How the proxy calls it."""
        return f"{self.protocol}_{hashlib.sha256(self.host.encode()).hexdigest()[:32]}"


def routes_of(lease: DesiredLease, networks: Iterable[ObservedNetwork], site: GatewaySite) -> Iterator[Route]:
    """Yield the routes to a lease's gateway, as far as its network is there."""
    gateway = lease.gateway
    if gateway is None or site.edge is None:
        return
    network = next((each for each in networks if each.name == gateway.names.edge()), None)
    if network is None:
        return
    ports = edge_ports(gateway, site)
    for publication in routed(gateway.plan, site):
        for host in site.edge.hosts(gateway, publication.workload):
            address = network.address(GATEWAY_PLACE)
            yield Route(host, publication.protocol, network.name, address, ports[publication.key])


def without_rivals(routes: Iterable[Route], before: Mapping[str, str]) -> tuple[Route, ...]:
    """Return routes with one lease for each host name: the one that had it before, so that nobody takes it away.

    Args:
        before: the network that each host name led to.
    """
    rivals: defaultdict[str, set[str]] = defaultdict(set)
    every = tuple(routes)
    for route in every:
        rivals[route.host].add(route.network)
    owner = {host: before[host] if before.get(host) in found else min(found) for host, found in rivals.items()}
    return tuple(route for route in every if route.network == owner[route.host])


def owners_of(config: GatewayConfig) -> dict[str, str]:
    """Return the network that each host name leads to, from the files of an edge."""
    lines = config.files.get(OWNERS_FILE, b"").decode().splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def edge_network(identity: Identity) -> NetworkSpec:
    """Return the network that its ports of the host belong to."""
    labels = sorted_labels({**dict(identity.labels), ROLE_LABEL: EDGE_ROLE})
    return NetworkSpec(f"mn-{identity.tag}-edge", labels, NetworkKind.FRONT, SMALLEST_SUBNET)


def edge_container(identity: Identity, site: GatewaySite, edge: EdgeSite, routes: Sequence[Route]) -> ContainerSpec:
    """Return its container, on the network of each lease that it leads to."""
    front = edge_network(identity)
    networks = sorted({route.network for route in routes})
    return proxy_container(
        site,
        f"{site.directory}/{DIRECTORY}",
        name=f"mg-{identity.tag}-edge",
        hostname=EDGE_ROLE,
        labels=front.labels,
        attachments=(
            Attachment(front.name, None, GATEWAY_PLACE),
            *(Attachment(network, None, EDGE_PLACE) for network in networks),
        ),
        published_ports=(PublishedPort(80, *edge.http), PublishedPort(443, *edge.https)),
    )


def render_edge(routes: Sequence[Route]) -> GatewayConfig:
    """Return the files of the edge's proxy (HAProxy 2.6), by name."""
    ordered = sorted(routes, key=lambda route: route.name)
    maps = {
        f"{protocol}.map": "".join(f"{each.host} {each.name}\n" for each in ordered if each.protocol == protocol)
        for protocol in ("http", "https")
    }
    body = "\n".join([_FRONTENDS, *map(_backend, ordered)])
    owners = "".join(f"{host} {network}\n" for host, network in sorted({(each.host, each.network) for each in ordered}))
    digest = hashlib.sha256(f"{GLOBAL}\0{body}\0{maps}".encode()).hexdigest()[:32]
    files = {name: content.encode() for name, content in {**maps, OWNERS_FILE: owners}.items()}
    return GatewayConfig({CONFIG_FILE: f"{GLOBAL.format(digest=digest)}\n{body}".encode(), **files})


_LIMIT = f"""\
  tcp-request connection track-sc0 src table sources
  tcp-request connection reject if {{ sc0_conn_cur gt {OF_A_SOURCE} }}
  timeout client-fin 1m
"""
_FRONTENDS = f"""\
backend sources
  stick-table type ipv6 size 10k expire 1m store conn_cur

backend leases
  stick-table type string len 128 size 10k expire 1m store conn_cur

frontend http
  mode http
  bind :80
  timeout client 5m
{_LIMIT}  timeout http-request 10s
  timeout http-keep-alive 60s
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-var(txn.route) req.hdr(host),lower,field(1,:),map({CONFIG_PATH}/{CURRENT}/http.map)
  http-request return status 404 content-type text/plain string "no such service" unless {{ var(txn.route) -m found }}
  use_backend %[var(txn.route)]

frontend https
  bind :443
  timeout client 10s
{_LIMIT}  tcp-request inspect-delay 5s
  tcp-request content set-var(sess.route) req.ssl_sni,lower,map({CONFIG_PATH}/{CURRENT}/https.map)
  tcp-request content accept if {{ var(sess.route) -m found }}
  tcp-request content reject if {{ req.ssl_hello_type 1 }}
  tcp-request content reject if WAIT_END
  use_backend %[var(sess.route)]
"""


def _backend(route: Route) -> str:
    head = f"backend {route.name}\n  timeout tunnel 1h\n  timeout server-fin 1m\n"
    if route.protocol == "http":
        limit = (
            "  mode http\n  timeout server 5m\n"
            f"  http-request track-sc1 str({route.network}) table leases\n"
            f"  http-request return status 503 if {{ sc1_conn_cur gt {OF_A_LEASE} }}\n"
        )
    else:
        limit = (
            f"  tcp-request content track-sc1 str({route.network}) table leases\n"
            f"  tcp-request content reject if {{ sc1_conn_cur gt {OF_A_LEASE} }}\n"
        )
    return f"{head}{limit}  server gateway {route.address}:{route.port}\n"

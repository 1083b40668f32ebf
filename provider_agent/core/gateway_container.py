"""Adds to a lease the container of its gateway and the networks by which that is reached from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from provider_agent.core.containers import (
    Attachment,
    Bind,
    ContainerSpec,
    Labels,
    NetworkKind,
    NetworkSpec,
    PublishedPort,
)
from provider_agent.core.gateway import TUNNELS, GatewayPlan, Publication
from provider_agent.core.lease_names import GATEWAY_ROLE, PORTS_LABEL
from provider_agent.core.ports import PortRange, Ports, read, written
from provider_agent.core.workloads import GATEWAY_PLACE, SMALLEST_SUBNET, DesiredGateway, DesiredLease

DEFAULT_IMAGE = "moorage-gateway:1"
"""As deploy/gateway/build-image.sh makes it."""
CONFIG_PATH = "/etc/moorage"
"""In the container: a directory for each configuration, and a link to the one that is used."""
CURRENT = "current"
RUN_PATH = "/run/moorage"
ADMIN_SOCKET = "admin.sock"
MASTER_SOCKET = "master.sock"
CONFIG_FILE = "haproxy.cfg"
COMMAND = (
    *("/usr/sbin/haproxy", "-W", "-db", "-S", f"{RUN_PATH}/{MASTER_SOCKET},mode,600"),
    *("-f", f"{CONFIG_PATH}/{CURRENT}/{CONFIG_FILE}"),
)
MILLI_CPU = 1_000
"""It has one thread, which cannot use more."""
MEMORY_BYTES = 256 << 20
"""For MAX_CONNECTIONS with TLS, and for workers that keep the connections of earlier configurations."""


DEFAULT_PORTS = {"http": 80, "https": 443}
ANY_ADDRESS = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class EdgeSite:
    """Where a provider's edge leads http and https by host name."""

    domain: str
    """Under which each service has a name; the operator's DNS has `*.*.<domain>` lead to this host."""
    http: tuple[str, int]
    https: tuple[str, int]
    """The addresses that it listens at."""

    def address(self, protocol: str, host: str) -> str:
        """Return where a host name's http or https is found."""
        listen = self.http if protocol == "http" else self.https
        port = "" if listen[1] == DEFAULT_PORTS[protocol] else f":{listen[1]}"
        return f"{protocol}://{host}{port}"

    def hosts(self, gateway: DesiredGateway, workload: str) -> tuple[str, ...]:
        """Return the names of a service: ours, and those of the tenant's own that are not below our domain."""
        ours = f"{workload}.{gateway.names.lease.hex()[:32]}.{self.domain}"
        named = (host for name, host in gateway.plan.hosts if name == workload)
        return (ours, *(host for host in named if not f".{host}".endswith(f".{self.domain}")))


@dataclass(frozen=True, slots=True)
class GatewaySite:
    """What a provider's gateways are made of."""

    directory: str
    """On the engine's host; each lease has one of its own in it."""
    image: str = DEFAULT_IMAGE
    user: str = "65534:65534"
    """Unprivileged, and the owner of these directories."""
    publish_address: str = "127.0.0.1"
    """The host's address that ports are bound to, and no other one."""
    ports: PortRange = field(default_factory=PortRange)
    public_host: str = "127.0.0.1"
    """The host's name or address for those outside, where ports are bound to every address of it."""
    edge: EdgeSite | None = None
    """None: http and https get ports like all else."""

    @property
    def host(self) -> str:
        """What addresses of ports begin with."""
        host = self.public_host if self.publish_address in ANY_ADDRESS else self.publish_address
        return f"[{host}]" if ":" in host else host


def routed(plan: GatewayPlan, site: GatewaySite) -> tuple[Publication, ...]:
    """Return what the provider's edge leads here by host name: of a workload the first http and the first https."""
    if site.edge is None:
        return ()
    first: dict[tuple[str, str], Publication] = {}
    for publication in plan.publications:
        if publication.protocol != "tcp":
            first.setdefault((publication.workload, publication.protocol), publication)
    return tuple(first.values())


def port_keys(plan: GatewayPlan, site: GatewaySite) -> tuple[str, ...]:
    """Return what the gateway needs ports of the host for, the most important first."""
    by_name = routed(plan, site)
    tunnels = (TUNNELS,) if plan.takes_tunnels else ()
    return (*tunnels, *(each.key for each in plan.publications if each not in by_name))


def with_gateway(lease: DesiredLease, site: GatewaySite, ports: Ports) -> DesiredLease:
    """Return a lease with its gateway's container, if it has a gateway.

    Args:
        ports: of the host, by what they are for. They have the same numbers in the container.
    """
    gateway = lease.gateway
    if gateway is None:
        return lease
    networks = _outer_networks(gateway, site)
    outer = tuple(Attachment(network.name, None, GATEWAY_PLACE) for network in networks)
    container = _container(gateway, site, ports, (*outer, *gateway.attachments))
    return replace(
        lease,
        networks=(*lease.networks, *networks),
        gateway_container=container,
        addresses=tuple(_addresses(gateway, site, ports)),
        portless=tuple(key for key in port_keys(gateway.plan, site) if key not in ports),
    )


def proxy_container(
    site: GatewaySite,
    directory: str,
    *,
    name: str,
    hostname: str,
    labels: Labels,
    attachments: tuple[Attachment, ...],
    published_ports: tuple[PublishedPort, ...],
) -> ContainerSpec:
    """Return the container of a proxy: a gateway's, or the provider's edge.

    Args:
        directory: where its files are, on the engine's host.
    """
    return ContainerSpec(
        name=name,
        labels=labels,
        image=site.image,
        hostname=hostname,
        command=COMMAND,
        args=(),
        env=(),
        user=site.user,
        is_read_only=True,
        milli_cpu=MILLI_CPU,
        memory_bytes=MEMORY_BYTES,
        attachments=attachments,
        published_ports=published_ports,
        mounts=(),
        mount_labels=(),
        restarts=0,
        binds=(Bind(f"{directory}/etc", CONFIG_PATH, True), Bind(f"{directory}/run", RUN_PATH, False)),
    )


def ports_of(lease: DesiredLease) -> Ports:
    """Return the ports of the host that a lease's gateway shall have."""
    container = lease.gateway_container
    return read(dict(container.labels)[PORTS_LABEL]) if container is not None else {}


def lease_directory(site: GatewaySite, lease: str) -> str:
    """Return where a lease's gateway has its files, by the lease's hex id."""
    return f"{site.directory}/{lease}"


def _addresses(gateway: DesiredGateway, site: GatewaySite, ports: Ports) -> Iterator[tuple[str, str]]:
    by_name = routed(gateway.plan, site)
    for publication in gateway.plan.publications:
        if site.edge is not None and publication in by_name:
            for host in site.edge.hosts(gateway, publication.workload):
                yield publication.workload, site.edge.address(publication.protocol, host)
        elif publication.key in ports:
            yield publication.workload, f"{publication.protocol}://{site.host}:{ports[publication.key]}"


def _outer_networks(gateway: DesiredGateway, site: GatewaySite) -> tuple[NetworkSpec, ...]:
    names, plan = gateway.names, gateway.plan
    networks = []
    if port_keys(plan, site) or plan.gives_tunnels:  # published ports belong to the first network
        networks.append(NetworkSpec(names.front(), names.labels(), NetworkKind.FRONT, SMALLEST_SUBNET))
    if routed(plan, site):
        networks.append(NetworkSpec(names.edge(), names.labels(), NetworkKind.INTERNAL, SMALLEST_SUBNET))
    return tuple(networks)


def _container(
    gateway: DesiredGateway, site: GatewaySite, ports: Ports, attachments: tuple[Attachment, ...]
) -> ContainerSpec:
    names = gateway.names
    container = proxy_container(
        site,
        lease_directory(site, names.lease.hex()),
        name=names.gateway(),
        hostname=GATEWAY_ROLE,
        labels=names.labels(role=GATEWAY_ROLE, **({PORTS_LABEL.removeprefix("moorage."): written(ports)})),
        attachments=attachments,
        published_ports=tuple(PublishedPort(port, site.publish_address, port) for port in sorted(ports.values())),
    )
    # it listens where networks are about to be attached
    return replace(container, sysctls=(("net.ipv4.ip_nonlocal_bind", "1"),))

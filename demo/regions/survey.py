"""Looks at the engines for everything that could connect or be connected to, and says what was declared of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.engine import Engine
from demo.hosts import METADATA, OUTSIDE, Host, Hosts
from demo.processes import run
from demo.regions.matrix import Attempt, Matrix, Source, Target, measure, token_of

PORTS = {"web": (8000, "http"), "cache": (6379, "redis"), "db": (5432, "postgres")}
"""Service of the deployment files -> its port, and what is spoken there."""
PRIVATE_PORT = 9999
"""Where each host, and a machine beside them, has something for itself."""
NAMES: tuple[Attempt, ...] = tuple((name, port, protocol) for name, (port, protocol) in PORTS.items())
BESIDE = "tenants' side"
LAN, CLOUD = "a machine beside the hosts", "metadata service"


@dataclass(frozen=True, slots=True)
class Found:
    """A container of a workload that runs."""

    host: Host
    tenant: str
    datacenter: str
    workload: str
    pid: int
    addresses: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.tenant}'s {self.workload}, {self.datacenter} (host {self.host.name})"

    @property
    def source(self) -> Source:
        return Source(self.name, tuple(self.host.inside_container(self.pid, ())))


async def containers(hosts: Sequence[Host], chain_id: int, tenants: Mapping[str, str]) -> list[Found]:
    """Return the workloads' containers on some hosts.

    Args:
        tenants: lease's id in hex -> whose it is.
    """
    found = []
    for host in hosts:
        for details in await Engine(chain_id, host.docker).inspect():
            labels, variables = details["Config"]["Labels"], _variables(details)
            if "moorage.workload" not in labels or "MOORAGE_DATACENTER" not in variables:
                continue
            found.append(
                Found(
                    host,
                    tenants.get(labels["moorage.lease"], "unknown"),
                    variables["MOORAGE_DATACENTER"],
                    labels["moorage.workload"],
                    details["State"]["Pid"],
                    tuple(sorted(_addresses(details, "IPAddress"))),
                )
            )
    return sorted(found, key=lambda each: (each.tenant, each.datacenter, each.workload))


async def published(hosts: Sequence[Host], chain_id: int) -> list[str]:
    """Return the addresses of all ports that hosts have opened for leases."""
    addresses = set()
    for host in hosts:
        for details in await Engine(chain_id, host.docker).inspect():
            for bindings in details["NetworkSettings"]["Ports"].values():
                addresses |= {f"http://{host.address}:{binding['HostPort']}" for binding in bindings or ()}
    return sorted(addresses)


async def survey(
    hosts: Hosts, chain_id: int, tenants: Mapping[str, str], agents: Collection[tuple[Host, int]]
) -> Matrix:
    """Let all workloads, all hosts and the tenants' side try to reach each other.

    Args:
        tenants: lease's id in hex -> whose it is.
        agents: the host and the port of each provider's agent.

    Raises:
        DemoFailed: a workload does not answer itself.
    """
    running = [host for host in hosts.machines if host.process.poll() is None]
    found = await containers(running, chain_id, tenants)
    public = await published(running, chain_id)
    workloads = [await _target(each, public) for each in found]
    services = [await _host_target(host, chain_id) for host in running]
    services += [
        Target(f"agent on port {port} of host {host.name}", "tcp", ((host.address, port, "tcp"),), "")
        for host, port in agents
        if host in running
    ]
    services.append(Target(LAN, "banner", ((OUTSIDE, PRIVATE_PORT, "banner"),), LAN))
    services.append(Target(CLOUD, "banner", ((METADATA, 80, "banner"),), CLOUD))
    machines = [Source(f"host {host.name}", tuple(host.inside(()))) for host in running] + [Source(BESIDE, ())]
    declared = {*_declared(found), *_open_to_machines(machines, found, services)}
    return await measure([*(each.source for each in found), *machines], [*workloads, *services], NAMES, declared)


def _declared(found: Sequence[Found]) -> Iterator[tuple[str, str]]:
    """Yield what both deployment files declare: a web tier reaches the cache beside it, and a db wherever it is."""
    for consumer in found:
        for server in found:
            if consumer.workload == "web" and consumer.tenant == server.tenant:
                is_near = server.workload == "cache" and server.datacenter == consumer.datacenter
                if is_near or server.workload == "db":
                    yield consumer.name, server.name


def _open_to_machines(
    machines: Sequence[Source], found: Sequence[Found], services: Sequence[Target]
) -> Iterator[tuple[str, str]]:
    """Yield what is for everybody, and what machines have for each other: the network of hosts is not ours to close."""
    for machine in machines:
        yield from ((machine.name, each.name) for each in found if each.workload == "web")
        yield from ((machine.name, service.name) for service in services)


async def _target(found: Found, public: Sequence[str]) -> Target:
    port, protocol = PORTS[found.workload]
    attempts = [(address, port, protocol) for address in found.addresses]
    if found.workload == "web":
        parts = (address.removeprefix("http://").split(":") for address in public)
        attempts += [(host, int(number), protocol) for host, number in parts]
    return Target(found.name, protocol, tuple(attempts), await token_of(found.source, port, protocol))


async def _host_target(host: Host, chain_id: int) -> Target:
    """Return what a host has for itself, at its own addresses and at those that containers take for its."""
    listed = json.loads(await run(host.inside(["ip", "-json", "-4", "address"]), host.folder))
    addresses = {each["local"] for interface in listed for each in interface["addr_info"]}
    for details in await Engine(chain_id, host.docker).inspect():
        addresses |= _addresses(details, "Gateway")
    addresses -= {"127.0.0.1"}
    attempts = tuple((address, PRIVATE_PORT, "banner") for address in sorted(addresses))
    return Target(f"services of host {host.name}", "banner", attempts, f"host {host.name}")


def _addresses(details: Mapping[str, Any], key: str) -> set[str]:
    networks: Mapping[str, Any] = details["NetworkSettings"]["Networks"]
    return {network[key] for network in networks.values() if network[key]}


def _variables(details: Mapping[str, Any]) -> dict[str, str]:
    return dict(variable.split("=", 1) for variable in details["Config"]["Env"] or ())

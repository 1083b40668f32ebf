"""Two machines with an engine each, a lease on each, and tunnels between them, as agents make them; and a plain twin.

The twin is what somebody would set up by hand with the same proxy: two containers on the same networks of the same
machines, with a configuration of a few lines.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiodocker

from demo.hosts import Host, Hosts
from moorage.manifest import Connection, Manifest, ManifestGroup, Workload, encode, version_of
from moorage.types import Address, OrderId, ProviderNumber
from provider_agent.core.gateway import TUNNELS
from provider_agent.core.gateway_config import LeaseTunnels
from provider_agent.core.gateway_container import DEFAULT_IMAGE, GatewaySite
from provider_agent.core.gateway_state import ConnectionState
from provider_agent.core.lease_names import Identity, LeaseNames
from provider_agent.core.tunnels import InboundTunnel, OutboundTunnel, Participant, Tunnel, TunnelEnd, tunnels_of
from provider_agent.core.workloads import GATEWAY_PLACE, DesiredLease, desired_lease
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.haproxy_gateways import HaproxyGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.benchmarks.tunnel_load import load_command
from tests.bytecode import ROOT
from tests.datacenters import UNIT
from tests.docker_world import build_gateway_image
from tests.full_pass import reconcile
from tests.probe_image import IMAGE, PYTHON, import_probe_image
from tests.tunnel_world import EXCHANGE, Provider, inbound, outbound

ENGINE = "unix:///var/run/docker.sock"
PORTS = {"db": range(5_000, 5_051), "store": range(6_000, 6_050)}
"""One more than a hundred tunnels: the last one is added while the others are in use."""
OWNER = (65_534, 65_534)
EAST, EUROPE = 0, 1
GROUPS = ("east", "europe")
TWIN_PORT = 29_999
TWIN_PLACE = 12
"""Of a network's addresses; the leases do not use so many."""


@dataclass(slots=True)
class TunnelSite:
    """One machine with one provider's lease."""

    host: Host
    engine: DockerEngine
    docker: aiodocker.Docker
    gateways: HaproxyGateways
    runner: WorkloadRunner
    lease: DesiredLease
    names: LeaseNames
    provider: Provider

    async def give(self, ends: Sequence[TunnelEnd]) -> None:
        """Hand tunnels to the gateway, and return when it has them."""
        self.gateways.set_tunnels(self.lease.lease, LeaseTunnels.of(ends))
        while True:
            await self.runner.carry_out([self.lease])
            if self.runner.next_attempt(self.lease) is None:
                return

    async def pid(self, container: str) -> int:
        return int((await self.docker.containers.container(container).show())["State"]["Pid"])

    async def in_workload(self, name: str, command: Sequence[str | Path]) -> list[str | Path]:
        """Return a command that runs another one in the network of a workload."""
        return self.host.inside_container(await self.pid(self.names.container(name, 0)), command)

    async def address(self, network: str, place: int = GATEWAY_PLACE) -> str:
        seen = await self.engine.observe(self.lease.lease)
        return str(next(each.address(place) for each in seen.networks if each.name == network))

    async def memory_bytes(self) -> int:
        """Return what the gateway's processes hold (PSS)."""
        top = await self.docker._query_json(f"containers/{self.names.gateway()}/top", "GET")
        inside = f"/proc/{self.host.first_process}/root/proc"
        return sum(_share_bytes(f"{inside}/{row[1]}") for row in top["Processes"])


@dataclass(slots=True)
class TunnelSites:
    east: TunnelSite
    europe: TunnelSite
    tunnels: tuple[Tunnel, ...]
    """By server and port."""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    given: tuple[list[InboundTunnel], list[OutboundTunnel]] = field(default_factory=lambda: ([], []))
    """Both sides' ends, as they were made the last time."""

    def ends(self, count: int) -> tuple[list[InboundTunnel], list[OutboundTunnel]]:
        """Return both sides' ends of the first tunnels; those that there were before keep their certificates."""
        port = self.east.runner.port(self.east.lease, TUNNELS)
        assert port is not None
        address = (self.east.host.address, port)
        providers = self.east.provider, self.europe.provider
        into, out = self.given
        for each in self.tunnels[len(into) : count]:
            into.append(inbound(each, *providers))
            out.append(outbound(each, *providers, address))
        return into[:count], out[:count]

    async def until_up(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            reports = await self.europe.gateways.tunnels(self.europe.lease.lease)
            if sum(each.state is ConnectionState.UP for each in reports) == count:
                return
            await asyncio.sleep(0.2)
        raise AssertionError(reports)

    async def serve(self) -> None:
        """Run the load's server as each of the two servers of the east."""
        for name, ports in PORTS.items():
            command = await self.east.in_workload(name, load_command("serve", "0.0.0.0", *map(str, ports)))
            await self.begin(command)

    async def begin(self, command: Sequence[str | Path], *, says_something: bool = True) -> subprocess.Popen[str]:
        """Start a process, and return when it has said something; it ends at the latest with the sites."""
        process = self._popen(command)
        assert process.stdout is not None
        if says_something:
            assert await asyncio.to_thread(process.stdout.readline)
        return process

    def _popen(self, command: Sequence[str | Path]) -> subprocess.Popen[str]:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.processes.append(process)
        return process

    async def door(self, server: str) -> str:
        """Return where the consumer finds a server."""
        return await self.europe.address(self.europe.names.way("web", server))


@asynccontextmanager
async def tunnel_sites() -> AsyncIterator[TunnelSites]:
    """Start the machines, and both leases without any tunnel."""
    hosts = Hosts(Path(tempfile.mkdtemp(prefix="hosts-")))
    document = make_manifest()
    version = version_of(encode(document))
    providers = Provider(ProviderNumber(1)), Provider(ProviderNumber(2))
    chain_id = secrets.randbits(40)
    leases = [OrderId(secrets.token_bytes(32)) for _ in GROUPS]
    async with AsyncExitStack() as stack:
        build_gateway_image(ENGINE)
        async with aiodocker.Docker(url=ENGINE) as docker:
            await import_probe_image(docker)
        stack.push_async_callback(hosts.clear)
        await hosts.start(len(GROUPS))
        await hosts.load([IMAGE, DEFAULT_IMAGE])
        sites = []
        for index, host in enumerate(hosts.machines):
            identity = Identity(chain_id, Address(EXCHANGE), providers[index].number)
            engine = await stack.enter_async_context(connected(host.docker, identity.labels, DockerOptions()))
            docker = await stack.enter_async_context(aiodocker.Docker(url=host.docker))
            site = GatewaySite(str(hosts.folder / f"gateways-{index}"), publish_address=host.address)
            gateways = HaproxyGateways(site, OWNER)
            runner = WorkloadRunner(engine, gateways, time.time, pass_seconds=60)
            lease = desired_lease(identity, leases[index], document, GROUPS[index], version)
            gateways.set_tunnels(lease.lease, LeaseTunnels())
            await reconcile(runner, [lease], ())
            names = LeaseNames(identity, lease.lease, version)
            sites.append(TunnelSite(host, engine, docker, gateways, runner, lease, names, providers[index]))
        participants = [
            Participant(each.lease.lease, each.provider.number, group)
            for each, group in zip(sites, GROUPS, strict=True)
        ]
        every = tunnels_of(sites[EAST].lease.edges, leases[EAST], participants)
        found = TunnelSites(*sites, tuple(sorted(every, key=lambda each: (each.server, each.port))))
        try:
            yield found
        finally:
            for process in found.processes:
                process.kill()
                process.wait()


def make_manifest() -> Manifest:
    """Return two servers with many ports in the east, each open to the web tier in Europe."""
    east = ManifestGroup(name="east", workloads=tuple(_workload(name, ports) for name, ports in PORTS.items()))
    europe = ManifestGroup(name="europe", workloads=(_workload("web", ()),))
    return Manifest(format="0.1", salt=secrets.token_hex(32), groups=(east, europe))


def _workload(name: str, ports: Sequence[int]) -> Workload:
    return Workload(
        name=name,
        image=IMAGE,
        command=(str(PYTHON), "-c", "import time\nwhile True: time.sleep(60)"),
        args=(),
        env={},
        user="1000:1000",
        read_only=False,
        resource_group=0,
        compute=UNIT,
        count=1,
        depends_on=(),
        connections=tuple(
            Connection(port=port, protocol="tcp", workload="web", datacenter=None, is_global=True) for port in ports
        ),
        health=None,
        storage={},
        host=(),
        secrets={},
        credentials=None,
    )


def _share_bytes(process: str) -> int:
    rollup = Path(f"{process}/smaps_rollup").read_text()
    return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) * 1024

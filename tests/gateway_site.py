"""Leases with gateways on a real engine: servers that say their name, and attempts to reach them from inside."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiodocker

from moorage.manifest import Connection, Workload
from moorage.types import Address, OrderId, ProviderNumber, Version
from provider_agent.core.gateway_state import ConnectionReport, ConnectionState, read_statistics
from provider_agent.core.lease_names import Identity
from provider_agent.core.ports import PortRange
from provider_agent.core.workloads import DesiredLease, desired_lease
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions, connected
from provider_agent.shell.gateway_socket import GatewaySocket
from provider_agent.shell.haproxy_gateways import HaproxyGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.docker_world import LOAD_SECONDS, build_gateway_image, gateways
from tests.factories.proofs import over
from tests.factories.workloads import GROUP, manifest, workload
from tests.free_ports import hundred_ports
from tests.probe_image import IMAGE, import_probe_image

UP_SECONDS = 120
SERVER = """
import os, socketserver, sys, threading
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall((os.environ["MOORAGE_WORKLOAD"] + os.environ["MOORAGE_REPLICA"] + "\\n").encode())
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
for port in sys.argv[1:]:
    threading.Thread(target=Server(("0.0.0.0", int(port)), Echo).serve_forever).start()
"""
ASK = """
import concurrent.futures, json, socket, sys
def ask(target):
    try:
        with socket.create_connection(tuple(target), 2) as s:
            s.settimeout(2)
            return s.makefile().readline().strip() or "closed"
    except OSError as error:
        return "refused"
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(json.dumps(list(pool.map(ask, json.loads(sys.argv[1])))))
"""


HOLD = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 60) as s:
    s.settimeout(60)
    lines = s.makefile()
    print(lines.readline().strip(), flush=True)
    try:
        print("over" if not lines.readline() else "goes on")
    except ConnectionError:
        print("over")
    except TimeoutError:
        print("silent")
"""


def server(name: str, ports: Sequence[int], *connections: Connection, **changes: Any) -> Workload:
    """Return a workload that answers on ports with its name and then with what it gets."""
    command = ("/usr/bin/python3.11", "-c", SERVER, *map(str, ports))
    return workload(name, *connections, **{"image": IMAGE, "command": command, "user": "1000:1000", **changes})


@dataclass(slots=True)
class GatewaySite:
    """One agent's part that looks after workloads, and what a test does to it."""

    docker: aiodocker.Docker
    engine: DockerEngine
    identity: Identity
    folder: Path
    ports: PortRange
    runner: WorkloadRunner = field(init=False)
    gateways: HaproxyGateways = field(init=False)
    leases: list[OrderId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, load_seconds: float = LOAD_SECONDS) -> None:
        """Forget everything that is not on the engine or on the disk, as an agent that is killed does."""
        self.gateways = gateways(self.folder, self.ports, load_seconds)
        self.runner = WorkloadRunner(self.engine, self.gateways, time.time, pass_seconds=UP_SECONDS)

    def lease(self, *workloads: Workload, lease: OrderId | None = None, version: int = 1) -> DesiredLease:
        """Return a lease of one datacenter; another version of one if it is given."""
        if lease is None:
            lease = OrderId(secrets.token_bytes(32))
            self.leases.append(lease)
        return desired_lease(self.identity, lease, manifest(*workloads), GROUP, Version(bytes([version]) * 32))

    async def reconcile(self, *leases: DesiredLease) -> None:
        """Make one pass."""
        await self.runner.look()
        await self.runner.carry_out(leases)

    async def up(self, *leases: DesiredLease) -> None:
        """Make passes until all connections are up, and the gateways have found all replicas."""
        async with asyncio.timeout(UP_SECONDS):
            while True:
                await self.reconcile(*leases)
                found = [each for lease in leases for each in await self.runner.connections(lease)]
                if all(each.state is ConnectionState.UP for each in found) and await self._are_found(leases):
                    return
                await asyncio.sleep(0.2)

    async def _are_found(self, leases: Iterable[DesiredLease]) -> bool:
        rows = [
            row
            for lease in leases
            for (section, server), row in (await self.gateways._statistics(lease.lease) or {}).items()
            if section.startswith("replicas_") and server != "BACKEND"
        ]
        return all(row["check_status"].startswith("L") and row["status"].startswith("UP") for row in rows)

    async def not_up(self, lease: DesiredLease, count: int = 1) -> list[ConnectionReport]:
        """Return the connections that are not up as soon as they are so many: proxies find out by looking."""
        for _ in range(UP_SECONDS * 5):
            found = [each for each in await self.runner.connections(lease) if each.state is not ConnectionState.UP]
            if len(found) == count:
                return found
            await asyncio.sleep(0.2)
        raise TimeoutError

    def container(self, lease: DesiredLease, hostname: str) -> str:
        return next(each.name for each in lease.workload_containers if each.hostname == hostname)

    def gateway(self, lease: DesiredLease) -> str:
        assert lease.gateway is not None
        return lease.gateway.names.gateway()

    async def ask(self, lease: DesiredLease, hostname: str, host: str, port: int) -> str:
        """Connect from a container and return who answers: a name with a replica, `closed` or `refused`."""
        return (await self.ask_all(lease, hostname, [(host, port)]))[host, port]

    async def ask_all(
        self, lease: DesiredLease, hostname: str, targets: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], str]:
        """Connect from a container to several at once."""
        answers = await self.python(self.container(lease, hostname), ASK, json.dumps(targets))
        return dict(zip(targets, json.loads(answers), strict=True))

    async def hold(self, lease: DesiredLease, hostname: str, host: str, port: int) -> asyncio.Task[str]:
        """Keep a connection from a container until it ends; the task returns who answered and `over`, when it is."""
        name = self.container(lease, hostname)
        held = asyncio.create_task(self.python(name, HOLD, host, str(port)))
        section = f"to_{hostname.rpartition('-')[0]}_{host}_{port}"
        socket = GatewaySocket(self.gateways._files(lease.lease).sockets)
        for _ in range(UP_SECONDS * 5):
            if int(read_statistics(await socket.statistics())[section, "r0"]["scur"]):
                return held
            await asyncio.sleep(0.2)
        raise TimeoutError

    async def answered(self, lease: DesiredLease, hostname: str, host: str, port: int) -> str:
        """Connect from a container until somebody answers, and return who."""
        async with asyncio.timeout(UP_SECONDS):
            while (found := await self.ask(lease, hostname, host, port)) in ("closed", "refused"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        return found

    async def python(self, name: str, code: str, *arguments: str) -> str:
        """Run Python in a container and return what it prints."""
        execution = await self.docker.containers.container(name).exec(["/usr/bin/python3.11", "-c", code, *arguments])
        output = b""
        async with execution.start(detach=False) as stream:
            while message := await stream.read_out():
                output += message.data
        return output.decode()

    async def addresses(self, name: str) -> dict[str, str]:
        """Return a container's address on each network, by the end of the network's name."""
        shown = (await self.docker.containers.container(name).show())["NetworkSettings"]["Networks"]
        return {network.rpartition("-")[2]: each["IPAddress"] for network, each in shown.items()}


@asynccontextmanager
async def gateway_site(url: str, folder: Path) -> AsyncIterator[GatewaySite]:
    """Open an engine for an agent of its own, and remove all that it leaves."""
    identity = Identity(secrets.randbits(40), Address("0x" + "22" * 20), ProviderNumber(1))
    first = hundred_ports()
    async with AsyncExitStack() as stack:
        docker = await stack.enter_async_context(aiodocker.Docker(url=url))
        engine = await stack.enter_async_context(connected(url, identity.labels, DockerOptions(stop_seconds=1)))
        await asyncio.to_thread(build_gateway_image, url)
        await import_probe_image(docker)
        site = GatewaySite(docker, engine, identity, folder, PortRange(first, first + 99))
        stack.push_async_callback(_clean, site)
        yield site


async def _clean(site: GatewaySite) -> None:
    await site.runner.look()
    await site.runner.carry_out([], [over(lease) for lease in site.leases])
    labels = json.dumps({"label": [f"{key}={value}" for key, value in site.identity.labels]})
    left = await site.docker.containers.list(all=True, filters=labels)
    assert left == []

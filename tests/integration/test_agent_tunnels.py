"""Two agents of two providers on one machine: workloads reach each other as declared, whatever happens to agents."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import pytest
from eth_utils.crypto import keccak

from demo.hosts import Hosts
from moorage import manifest, pki
from moorage.agent_api import ConnectionStatus
from moorage.agent_client import AgentError
from moorage.chain.contracts import Registry
from moorage.manifest import Connection, Manifest, ManifestGroup, Workload
from moorage.regions import mask_of
from moorage.snapshot import Snapshot
from moorage.types import ComputeUnit, DeploymentId, Group, OrderId, ResourceGroup
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from tests.chain import ONE_TOKEN
from tests.datacenters import UNIT, Site, died, open_site
from tests.docker_world import build_gateway_image
from tests.factories.workloads import workload
from tests.hosts import needs_hosts
from tests.probe_image import IMAGE, PYTHON, import_probe_image

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), needs_hosts]

EAST, EUROPE = 0, 1
REGIONS = ("us-east", "europe-west")
SERVE = """
import socket
with socket.create_server(("0.0.0.0", 5432)) as listener:
    import threading
    def serve(connection):
        while said := connection.recv(4096):
            connection.sendall(b"db:" + said)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
WAIT = "import time\nwhile True: time.sleep(60)"
ASK = """
import socket
try:
    with socket.create_connection(("db", 5432), 5) as connection:
        connection.sendall(b"hello")
        print(connection.recv(100).decode() or "closed")
except OSError as error:
    print(type(error).__name__)
"""
KEEP_ASKING = """
import socket, time
with socket.create_connection(("db", 5432), 5) as connection:
    connection.settimeout(5)
    count = 0
    while count < 3000:
        try:
            connection.sendall(b"hello")
            if connection.recv(100) != b"db:hello":
                break
        except OSError:
            break
        count += 1
        if count == 1:
            print("begun", flush=True)
        time.sleep(0.05)
print("cut after", count, flush=True)
"""


def program(name: str, code: str, *connections: Connection) -> Workload:
    """Return a workload that runs Python."""
    command = (str(PYTHON), "-c", code)
    return workload(name, *connections, image=IMAGE, command=command, user="1000:1000", compute=UNIT)


def make_manifest() -> bytes:
    """Return a database in the east that the web tiers of all datacenters may reach, and nobody else."""
    for_web = Connection(port=5432, protocol="tcp", workload="web", datacenter=None, is_global=True)
    east = ManifestGroup(name="east", workloads=(program("db", SERVE, for_web), program("web", WAIT)))
    europe = ManifestGroup(name="europe", workloads=(program("web", WAIT), program("other", WAIT)))
    return manifest.encode(Manifest(format="0.1", salt=secrets.token_hex(32), groups=(east, europe)))


def make_group(name: str, region: str) -> Group:
    compute = ComputeUnit(UNIT.milli_cpu, UNIT.memory_bytes, UNIT.disk_bytes)
    return Group(name, mask_of(region), True, (ResourceGroup(compute, ONE_TOKEN // 7_200, 10 * ONE_TOKEN, 2),))


@dataclass(slots=True)
class Regions:
    site: Site
    deployment: DeploymentId
    leases: tuple[OrderId, OrderId]
    providers: tuple[int, int] = (EAST, EUROPE)
    """Who has them."""

    async def ask(self, name: str, index: int) -> str:
        """Return what a workload gets that connects to `db`."""
        return (await self.python(name, index, ASK)).strip()

    async def python(self, name: str, index: int, code: str) -> str:
        output = ""
        async for text in self.output(name, index, code):
            output += text
        return output

    async def output(self, name: str, index: int, code: str) -> AsyncIterator[str]:
        """Yield what Python prints in a workload; nothing as long as that is not there."""
        labels = [each["Labels"] | {"id": each["Id"]} for each in await self.site.containers(self.providers[index])]
        wanted = (self.leases[index].hex(), name)
        found = next((each for each in labels if (each["moorage.lease"], each.get("moorage.workload")) == wanted), None)
        if found is None:  # not started yet
            return
        engine = self.site.engine(self.providers[index])
        execution = await engine.containers.container(found["id"]).exec([str(PYTHON), "-c", code])
        async with execution.start(detach=False) as stream:
            while message := await stream.read_out():
                yield message.data.decode()

    async def connections(self, index: int, name: str) -> tuple[ConnectionStatus, ...]:
        try:
            status = await self.site.client.status(self.site.agent(self.providers[index]), self.leases[index])
        except AgentError:
            return ()
        return next((each.connections for each in status.workloads if each.name == name), ())

    async def until_answered(self, name: str = "web", index: int = EUROPE) -> None:
        async def look(_: Snapshot) -> bool | None:
            return True if await self.ask(name, index) == "db:hello" else None

        await self.site.until("an answer of the database", look)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Site]:
    """Start two machines with an engine each, and register a provider for each of them."""
    hosts = Hosts(Path(tempfile.mkdtemp(prefix="hosts-")))  # a short path: it is part of the path of sockets
    async with open_site(folder, providers=0) as site:
        build_gateway_image(site.docker_url)
        await import_probe_image(site.docker)
        try:
            await hosts.start(len(REGIONS))
            await hosts.load([IMAGE, DEFAULT_IMAGE])
            for region, host in zip(REGIONS, hosts.machines, strict=True):
                await site.add_provider(region, host.docker, f'publish_address = "{host.address}"')
            yield site
        finally:
            await hosts.clear()


async def deployed(
    site: Site, body: bytes, regions: tuple[str, str] = REGIONS, providers: tuple[int, int] = (EAST, EUROPE)
) -> Regions:
    """Order both groups, and hand the manifest to the east alone: the other lease gets it from there."""
    groups = [make_group(name, region) for name, region in zip(("east", "europe"), regions, strict=True)]
    deployment = await site.submit(body, groups=groups)

    async def look(snapshot: Snapshot) -> tuple[OrderId, OrderId] | None:
        found = {
            snapshot.leased_orders[lease].group.name: lease
            for lease in snapshot.leases
            if snapshot.leased_orders[lease].key.deployment == deployment
        }
        return (found["east"], found["europe"]) if len(found) == 2 else None

    leases = await site.until("two leases", look)
    await site.deliver(leases[EAST], body, EAST)
    return Regions(site, deployment, leases, providers)


async def test_h25_agents__two_providers__connect_what_is_declared_and_cut_what_a_removed_root_has_vouched_for(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as site:
        body = make_manifest()
        site.start_facilitator()
        site.start_agent(EAST)
        agent = site.start_agent(EUROPE)
        regions = await deployed(site, body)
        await site.running(regions.leases[EUROPE], EUROPE)

        await regions.until_answered()

        assert await regions.ask("web", EAST) == "db:hello"
        assert await regions.ask("other", EUROPE) == "gaierror"
        out = ConnectionStatus("db:5432", "out", "db", "east", "up", None)
        into = ConnectionStatus("db:5432", "in", "web", "europe", "up", None)
        assert out in await regions.connections(EUROPE, "web")
        assert into in await regions.connections(EAST, "db")

        live = regions.output("web", EUROPE, KEEP_ASKING)
        assert "begun" in await anext(live)
        agent.kill()
        agent.wait()
        site.start_agent(EUROPE)  # it makes new certificates, and the other one sees them
        await regions.until_answered()
        await asyncio.sleep(5)
        assert await regions.ask("web", EUROPE) == "db:hello"

        registry, owner = Registry(site.chain.rpc, site.market), site.chain.owners[EUROPE]
        number = site.providers[EUROPE]
        fresh = pki.create_root(number, site.market.exchange, datetime.now(UTC))
        await site.chain.transact(owner, registry.add_root(number, fresh.der))
        await site.chain.transact(owner, registry.remove_root(number, keccak(site.roots[EUROPE].der)))
        said = await asyncio.wait_for(anext(live), 120)
        assert said.startswith("cut after") and int(said.split()[2]) > 20, said
        assert await regions.ask("web", EUROPE) != "db:hello"


async def test_h25_agent__has_two_leases_of_a_deployment__they_connect_also_after_it_was_killed(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await import_probe_image(site.docker)
        site.start_facilitator()
        agent = site.start_agent()
        regions = await deployed(site, make_manifest(), ("local", "local"), (0, 0))

        await regions.until_answered()

        out = ConnectionStatus("db:5432", "out", "db", "east", "up", None)
        assert out in await regions.connections(EUROPE, "web")
        live = regions.output("web", EUROPE, KEEP_ASKING)
        assert "begun" in await anext(live)
        agent.kill()
        agent.wait()
        site.start_agent()
        await asyncio.sleep(15)
        ended = asyncio.create_task(anext(live))
        await asyncio.wait([ended], timeout=1)
        assert not ended.done(), await ended
        ended.cancel()
        await regions.until_answered()
        await site.closed(regions.deployment)
        assert await site.left(0) == []


POINTS = ("gateway-closed", "gateway-written", "gateway-tuned", "overlay-answered", "overlay-kept")
"""A gateway that starts with its tunnels is not reloaded: that point is passed in test_gateways."""


async def test_h25_agents__one_dies_at_any_point_of_a_tunnel_s_making__the_tunnel_comes_up_all_the_same(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as site:
        site.start_facilitator()
        agents = {EAST: site.start_agent(EAST)}
        for number, point in enumerate(POINTS):
            index = (EUROPE, EAST)[number % 2]  # the consumer's agent and the server's in turn
            for each in (EAST, EUROPE):
                if each in agents:
                    agents[each].kill()
                    agents[each].wait()
                agents[each] = site.start_agent(each, point if each == index else "")
            regions = await deployed(site, make_manifest())

            assert await died(agents[index], site) == -SIGKILL, point
            agents[index] = site.start_agent(index)
            await site.running(regions.leases[EUROPE], EUROPE)
            await regions.until_answered()

            await site.closed(regions.deployment)
        assert await site.left(EAST) == await site.left(EUROPE) == []

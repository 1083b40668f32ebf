"""Three leases of one deployment that one provider has, on a real engine: they connect as if they were apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from moorage import manifest, pki
from moorage.manifest import Compute
from moorage.types import Order, OrderId, OrderState
from provider_agent.core.gateway_config import LeaseTunnels
from provider_agent.core.peers import PeerDirectory
from provider_agent.core.tunnels import Participant, TunnelEnd
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.overlay import Overlay
from provider_agent.shell.peer_answers import PeerAnswers
from provider_agent.shell.tunnel_keys import TunnelKeys
from provider_agent.shell.workload_loop import WorkloadLoop
from tests.docker_world import engine_url
from tests.factories.workloads import GROUP, connection
from tests.factories.workloads import manifest as manifest_of
from tests.fakes.lease_world import World
from tests.gateway_site import UP_SECONDS, GatewaySite, gateway_site, server
from tests.markets import UNIT, make_group, make_lease, make_order, make_snapshot

URL = engine_url()
pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.timeout(300),
]

SIZE = Compute(milli_cpu=UNIT.milli_cpu, memory_bytes=UNIT.memory_bytes, disk_bytes=UNIT.disk_bytes)
WEB = server("web", (80,), compute=SIZE)
BODY = manifest.encode(
    manifest_of(
        server("db", (5432, 5433), connection(5432, "web", everywhere=True), compute=SIZE),
        east=(WEB, server("other", (81,), compute=SIZE)),
        north=(WEB,),
    )
)
KEEP_ASKING = """
import socket, time
with socket.create_connection(("db", 5432), 60) as s:
    s.settimeout(60)
    lines = s.makefile()
    print(lines.readline().strip())
    for count in range(80):
        s.sendall(b"hello\\n")
        assert lines.readline() == "hello\\n", count
        time.sleep(0.1)
    print("never cut")
"""


class Agent:
    """What an agent has for workloads and tunnels, on a chain that is whatever the test says."""

    def __init__(self, site: GatewaySite, folder: Path) -> None:
        provider, exchange = site.identity.provider, site.identity.exchange
        root = pki.create_root(provider, exchange, _now())
        issuer = pki.create_intermediate(root, _now())
        self.site = site
        self.chain = World()
        self.orders: dict[OrderId, Order] = {}
        self.directory = PeerDirectory(provider)
        nobody: Any = None  # no other provider takes part
        self.overlay = Overlay(
            provider,
            exchange,
            self.directory,
            nobody,
            nobody,
            TunnelKeys(lambda: issuer, _now),
            lambda: (root.certificate.public_bytes(Encoding.DER),),
            self._address,
            PeerAnswers(folder),
            self._tell,
            _now,
        )
        self.loop = WorkloadLoop(
            self.chain,  # type: ignore[arg-type]
            self.chain.exchange,
            site.identity,
            site.runner,
            self.chain.store,
            lambda _: [manifest.version_of(BODY)],
            overlay=self.overlay,
        )

    async def add(self, number: int, group: str) -> OrderId:
        """Win a lease."""
        order = make_order(number, group=make_group(name=group, count=2))
        self.orders[order.id] = order
        self.site.leases.append(order.id)
        await self.chain.store.put(order.id, BODY)
        self.loop.delivered(order.id)
        return order.id

    def end(self, lease: OrderId) -> None:
        order = self.orders.pop(lease)
        provider = self.site.identity.provider
        self.chain.final[lease] = make_lease(order, provider=provider, state=OrderState.LEASE_STALE)

    def wanted(self, lease: OrderId) -> DesiredLease:
        return next(each for each in self.loop.wanted if each.lease == lease)

    async def block(self) -> None:
        """Take in a block, and do what is due."""
        self.chain.block += 1
        provider = self.site.identity.provider
        leases = [(order, make_lease(order, provider=provider)) for order in self.orders.values()]
        snapshot = make_snapshot(self.chain.block, leases=leases)
        self.directory.take(snapshot)
        self.overlay.wake()
        self.loop.note(snapshot)
        await self.loop.try_pass()

    async def ask(self, lease: OrderId, hostname: str = "web-0", host: str = "db", port: int = 5432) -> str:
        return await self.site.ask(self.wanted(lease), hostname, host, port)

    async def until_answered(self, *leases: OrderId) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while [await self._asked(lease) for lease in leases] != ["db0"] * len(leases):
            assert time.monotonic() < deadline, [await self.loop.status(lease) for lease in leases]
            await asyncio.sleep(0.3)

    async def _asked(self, lease: OrderId) -> str | None:
        await self.block()
        seen = {each.name for each in (await self.site.engine.observe(lease)).containers}
        wanted = self.wanted(lease)
        return await self.ask(lease) if self.site.container(wanted, "web-0") in seen else None

    async def names(self, lease: OrderId) -> dict[str, str]:
        """Return the containers and networks of a lease, each container with its id."""
        seen = await self.site.engine.observe(lease)
        found = {each.name: "" for each in seen.networks}
        for each in seen.containers:
            found[each.name] = (await self.site.docker.containers.container(each.name).show())["Id"]
        return found

    async def until_gone(self, lease: OrderId) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while await self.names(lease):
            assert time.monotonic() < deadline
            await self.block()

    def _address(self, lease: OrderId, peer: Participant) -> tuple[str, int] | None:
        return self.loop.passage(lease, peer.lease)

    def _tell(self, lease: OrderId) -> None:
        ends: tuple[TunnelEnd, ...] | None = self.overlay.ends(lease)
        if ends is not None:
            self.site.gateways.set_tunnels(lease, LeaseTunnels.of(ends))
            self.loop.look_at(lease)


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def running(url: str, folder: Path) -> AsyncIterator[Agent]:
    async with gateway_site(url, folder) as site:
        agent, stop = Agent(site, folder / "peers"), asyncio.Event()
        looking = asyncio.create_task(agent.overlay.run(stop))
        try:
            yield agent
        finally:
            stop.set()
            agent.overlay.wake()
            await looking


async def test_h24_h25_gateways__three_leases_of_one_provider__connect_as_declared_and_end_by_themselves(
    tmp_path: Path,
) -> None:
    assert URL is not None
    async with running(URL, tmp_path) as agent:
        west, east, north = [await agent.add(number, name) for number, name in enumerate((GROUP, "east", "north"))]
        await agent.until_answered(east, north)
        site = agent.site

        gateway, db = agent.wanted(west), site.container(agent.wanted(west), "db-0")
        addresses = [*(await site.addresses(site.gateway(gateway))).values(), *(await site.addresses(db)).values()]
        port = site.runner.port(gateway, "tunnels")
        assert port is not None
        targets = [(address, each) for address in addresses for each in (5432, 5433, port)]
        for hostname in ("web-0", "other-0"):
            answers = await site.ask_all(agent.wanted(east), hostname, [*targets, ("db", 5433)])
            assert set(answers.values()) == {"refused"}, hostname
        assert await agent.ask(east, "other-0") == "refused"

        kept = await agent.names(north)
        container = site.container(agent.wanted(north), "web-0")
        asking = asyncio.create_task(site.python(container, KEEP_ASKING))
        await asyncio.sleep(1)
        agent.end(east)
        await agent.until_gone(east)
        await agent.until_answered(north)
        assert (await asking).split("\n")[:2] == ["db0", "never cut"]
        assert await agent.names(north) == kept
        assert [name for name in await agent.names(west) if f"from.{east.hex()}" in name] == []

        agent.end(west)
        await agent.until_gone(west)
        assert await agent.names(north) == kept
        assert await agent.ask(north) in ("closed", "refused")

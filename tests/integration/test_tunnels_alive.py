"""Tunnels on a real engine while something goes on: certificates that change, neighbours that come, go or lie."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from moorage import pki
from moorage.types import OrderId, ProviderNumber
from provider_agent.core.tunnel_config import credential_file
from provider_agent.core.tunnels import InboundTunnel, Tunnel
from tests.docker_world import engine_url
from tests.tunnel_world import INBOUND_PORT, Gateway, Provider, TunnelWorld, inbound, outbound, talk, tunnel_world

URL = engine_url()
pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.asyncio(loop_scope="module"),
]

EAST, WEST = OrderId(b"\x01" * 32), OrderId(b"\x02" * 32)
LONGEST_PAUSE_SECONDS = 1.0
"""In which a live connection gets no answer, beyond those of one that nothing is done to: the machine's own pauses."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[TunnelWorld]:
    assert URL is not None
    async with tunnel_world(URL) as found:
        yield found


@dataclass(slots=True)
class Pulse:
    """A connection on which something is said all the time."""

    answers: int = 0
    longest_seconds: float = 0.0
    """From one answer to the next."""
    fault: BaseException | None = None


@asynccontextmanager
async def pulse(gateway: Gateway, tunnel: Tunnel) -> AsyncIterator[Pulse]:
    """Keep a connection through a tunnel busy while the block runs."""
    found = Pulse()
    reader, writer = await gateway.connect(tunnel)
    writer.write(b"first")
    await reader.readuntil(b"first")

    async def beat() -> None:
        answered = time.monotonic()
        while True:
            writer.write(b"0123456789")
            assert await reader.readexactly(10) == b"0123456789"
            found.answers += 1
            before, answered = answered, time.monotonic()
            found.longest_seconds = max(found.longest_seconds, answered - before)
            await asyncio.sleep(0.002)

    task = asyncio.create_task(beat())
    try:
        yield found
    finally:
        if task.done():
            found.fault = task.exception()
        task.cancel()
        writer.close()


@dataclass(slots=True)
class Line:
    """One tunnel with a gateway at each end."""

    east: Provider
    west: Provider
    tunnel: Tunnel
    server: Gateway
    consumer: Gateway
    others: list[Tunnel] = field(default_factory=list)

    async def configure(self) -> None:
        tunnels = [self.tunnel, *self.others]
        await self.server.configure([inbound(each, self.east, self.west) for each in tunnels])
        address = (self.server.address, INBOUND_PORT)
        await self.consumer.configure([outbound(each, self.east, self.west, address) for each in tunnels])


@pytest_asyncio.fixture(loop_scope="module")
async def line(world: TunnelWorld) -> AsyncIterator[Line]:
    found = await opened(world)
    yield found
    for each in (found.server, found.consumer):  # the network has addresses for thirteen
        await world.close(each)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def quiet(world: TunnelWorld) -> Line:
    """A tunnel that nothing is done to."""
    return await opened(world)


def assert_goes_on(live: Pulse, undisturbed: Pulse) -> None:
    assert live.fault is None and live.answers > 20
    assert live.longest_seconds < undisturbed.longest_seconds + LONGEST_PAUSE_SECONDS


async def opened(world: TunnelWorld) -> Line:
    """Start a tunnel, and wait until it is up."""
    _, port = await world.workload("db")
    gateways = world.gateway(f"server-{port}"), world.gateway(f"consumer-{port}")
    tunnel = Tunnel(EAST, "db", port, WEST, "web")
    found = Line(Provider(ProviderNumber(1)), Provider(ProviderNumber(2)), tunnel, *gateways)
    await found.configure()
    await found.consumer.until_up(tunnel)
    return found


async def test_h22_tunnel__certificates_of_both_ends_are_renewed_ten_times__live_connection_goes_on(
    line: Line, quiet: Line
) -> None:
    file = credential_file(line.tunnel)

    async with pulse(quiet.consumer, quiet.tunnel) as undisturbed, pulse(line.consumer, line.tunnel) as live:
        for _ in range(10):
            await line.server.replace("cert", file, line.east.credential(line.tunnel, is_server=True))
            await line.consumer.replace("cert", file, line.west.credential(line.tunnel, is_server=False))
            assert await talk(line.consumer, line.tunnel) == "db:hello"

    assert_goes_on(live, undisturbed)


async def test_h22_tunnel__certificate_that_expired_is_replaced_while_it_runs__new_connections_work_again(
    line: Line,
) -> None:
    file, yesterday = credential_file(line.tunnel), datetime.now(UTC) - timedelta(hours=25)
    expired = line.west.credential(line.tunnel, is_server=False, now=yesterday)

    async with pulse(line.consumer, line.tunnel) as live:
        await line.consumer.replace("cert", file, expired)
        refused = await talk(line.consumer, line.tunnel)
        await line.consumer.replace("cert", file, line.west.credential(line.tunnel, is_server=False))
        answer = await talk(line.consumer, line.tunnel)

    assert (refused, answer) == ("", "db:hello")
    assert live.fault is None


async def test_h22_h23_tunnel__both_ends_change_their_roots_with_overlap__live_connection_goes_on(
    line: Line, quiet: Line
) -> None:
    answers = []

    async with pulse(quiet.consumer, quiet.tunnel) as undisturbed, pulse(line.consumer, line.tunnel) as live:
        for end in (line.east, line.west):
            for step in (end.announce_root, end.change_root):
                step()
                await line.configure()
                answers.append(await talk(line.consumer, line.tunnel))

    assert answers == ["db:hello"] * 4
    assert_goes_on(live, undisturbed)


async def test_h24_tunnel__others_are_added_and_removed__live_connection_goes_on(line: Line, quiet: Line) -> None:
    async with pulse(quiet.consumer, quiet.tunnel) as undisturbed, pulse(line.consumer, line.tunnel) as live:
        for number in range(1, 6):
            line.others.append(replace(line.tunnel, consumer=f"web{number}"))
            await line.configure()
        await line.consumer.until_up(line.tunnel, *line.others)
        answers = [await talk(line.consumer, each) for each in line.others]
        line.others.clear()
        await line.configure()

    assert answers == ["db:hello"] * 5
    assert_goes_on(live, undisturbed)


async def test_tunnel__nobody_serves_at_its_other_end__is_down_and_the_others_are_up(line: Line) -> None:
    line.others.append(replace(line.tunnel, port=1))
    await line.configure()

    state = "UP"
    for _ in range(600):
        state = (await line.consumer.states())[f"check_{line.others[0].id}/end"]
        if not state.startswith("UP"):
            break
        await asyncio.sleep(0.1)
    assert state == "DOWN L7STS"
    await line.consumer.until_up(line.tunnel)


async def test_h24_tunnels__peers_lie_or_are_silent__costs_their_own_connections_alone(
    world: TunnelWorld, quiet: Line
) -> None:
    east, west, fake = Provider(ProviderNumber(1)), Provider(ProviderNumber(2)), Provider(ProviderNumber(1))
    _, port = await world.workload("db")
    honest, *lies = [Tunnel(EAST, "db", port, WEST, name) for name in ("web", "a", "b", "c", "d", "e", "f", "g", "h")]
    now = datetime.now(UTC)
    shown = {
        "another tunnel's": east.credential(honest, is_server=True),
        "of a root that is only named alike": fake.credential(lies[1], is_server=True),
        "of the consumer's own provider": west.credential(lies[2], is_server=True),
        "expired": east.credential(lies[3], is_server=True, now=now - timedelta(hours=25)),
        "not yet valid": east.credential(lies[4], is_server=True, now=now + timedelta(minutes=10)),
        "for clients": pki.encode(pki.issue_tunnel(east.issuer, now, lies[5].id, EAST, "db", is_server=False)),
    }
    server, consumer = world.gateway("liars"), world.gateway("victim")
    liars = [
        InboundTunnel(tunnel, east.server_name(tunnel), credential, west.roots_pem)
        for tunnel, credential in zip(lies, shown.values(), strict=False)
    ]
    await server.configure([inbound(honest, east, west), *liars])
    silent, endless = await _odd_server(world, is_silent=True), await _odd_server(world, is_silent=False)
    addresses = [(server.address, INBOUND_PORT)] * 7 + [silent, endless]
    await consumer.configure(
        [outbound(tunnel, east, west, at) for tunnel, at in zip((honest, *lies), addresses, strict=True)]
    )
    await consumer.until_up(honest)
    await consumer.until_up(*lies, is_up=False)

    async with pulse(quiet.consumer, quiet.tunnel) as undisturbed, pulse(consumer, honest) as live:
        heard = [await talk(consumer, each, seconds=3) for each in lies]

    answers = dict(zip([*shown, "silent", "endless"], heard, strict=True))
    assert answers == dict.fromkeys(answers, "")
    assert_goes_on(live, undisturbed)
    assert await talk(consumer, honest) == "db:hello"


async def _odd_server(world: TunnelWorld, *, is_silent: bool) -> tuple[str, int]:
    """Start what takes connections and then says nothing, or never stops."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not is_silent:
                writer.write(b"\x16\x03\x03\x40\x00" + b"x" * 16_384)
                await writer.drain()
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, world.host, 0)
    world.servers.append(server)
    return world.host, int(server.sockets[0].getsockname()[1])

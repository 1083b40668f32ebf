"""Tunnels between two providers' gateways on a real engine: who gets through the port that is open to the world."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import pytest_asyncio

from moorage import pki
from moorage.types import OrderId, ProviderNumber
from provider_agent.core.tunnel_config import HANDSHAKE_SECONDS, HEALTH_PROTOCOL, roots_file
from provider_agent.core.tunnels import Tunnel
from tests.docker_world import engine_url
from tests.tunnel_world import (
    INBOUND_PORT,
    PATIENCE_SECONDS,
    EchoServer,
    Gateway,
    Provider,
    attack,
    client_context,
    inbound,
    outbound,
    talk,
    tunnel_world,
)

URL = engine_url()
pytestmark = [
    pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock"),
    pytest.mark.asyncio(loop_scope="module"),
]

EAST, WEST = OrderId(b"\x01" * 32), OrderId(b"\x02" * 32)
NEIGHBOUR, STRANGER = OrderId(b"\x03" * 32), OrderId(b"\x04" * 32)
NAMES = ("web", "cache", "db")
DECLARED = {("web", "db"), ("web", "cache"), ("cache", "db")}
"""Consumer in the west, server in the east."""
BUSY_SECONDS = 20
"""In which a busy machine gets to what is due."""


@dataclass(slots=True)
class Pair:
    """A gateway in the east that serves, one in the west that consumes, and one tunnel of another tenant in between."""

    east: Provider
    west: Provider
    server: Gateway
    consumer: Gateway
    servers: dict[str, EchoServer]
    tunnels: dict[tuple[str, str], Tunnel]
    """All pairs of workloads, declared or not."""
    others: Tunnel
    """From another tenant's lease of the same provider in the west, to another tenant's lease in the east."""

    @property
    def tunnel(self) -> Tunnel:
        return self.tunnels["web", "db"]

    async def attack(self, tunnel: Tunnel, credential: bytes | None, alpn: tuple[str, ...] = ()) -> str:
        name = self.east.server_name(tunnel)
        return await attack(self.server.address, name, client_context(credential), alpn)

    def reached(self) -> int:
        return sum(each.connections for each in self.servers.values())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair() -> AsyncIterator[Pair]:
    assert URL is not None
    async with tunnel_world(URL) as world:
        east, west = Provider(ProviderNumber(1)), Provider(ProviderNumber(2))
        workloads = {name: await world.workload(name) for name in NAMES}
        tunnels = {
            (consumer, server): Tunnel(EAST, server, workloads[server][1], WEST, consumer)
            for consumer, server in product(NAMES, NAMES)
        }
        others = Tunnel(STRANGER, "db", workloads["db"][1], NEIGHBOUR, "web")
        server, consumer = world.gateway("server"), world.gateway("consumer")
        declared = [tunnels[edge] for edge in sorted(DECLARED)]
        await server.configure([inbound(each, east, west) for each in [*declared, others]])
        address = (server.address, INBOUND_PORT)
        await consumer.configure([outbound(each, east, west, address) for each in declared])
        await consumer.until_up(*declared)
        servers = {name: workload for name, (workload, _) in workloads.items()}
        yield Pair(east, west, server, consumer, servers, tunnels, others)


async def test_h24_tunnels__three_workloads_by_three__declared_ones_pass_with_their_own_certificate_alone(
    pair: Pair,
) -> None:
    credentials = {edge: pair.west.credential(each, is_server=False) for edge, each in pair.tunnels.items()}
    before = pair.reached()

    answers = {
        (shown, asked): await pair.attack(pair.tunnels[asked], credentials[shown])
        for shown, asked in product(pair.tunnels, pair.tunnels)
    }

    through = {each for each, answer in answers.items() if "hello" in answer}
    assert through == {(edge, edge) for edge in DECLARED}
    assert {answers[edge, edge] for edge in DECLARED} == {"db:hello", "cache:hello"}
    assert pair.reached() == before + len(DECLARED)


async def test_h24_tunnels__consumers_of_declared_edges__reach_the_server_that_was_named(pair: Pair) -> None:
    answers = {edge: await talk(pair.consumer, pair.tunnels[edge]) for edge in sorted(DECLARED)}

    assert answers == {(consumer, server): f"{server}:hello" for consumer, server in sorted(DECLARED)}


def credentials_of_thieves(pair: Pair) -> dict[str, bytes | None]:
    """Return what somebody may show who wants to use the tunnel of web to db."""
    tunnel, now = pair.tunnel, datetime.now(UTC)
    fake, third = Provider(ProviderNumber(2)), Provider(ProviderNumber(3))
    return {
        "no certificate": None,
        "another lease of the same provider": pair.west.credential(
            replace(tunnel, consumer_lease=NEIGHBOUR), is_server=False
        ),
        "another lease's name on this tunnel": pki.encode(
            pki.issue_tunnel(pair.west.issuer, now, tunnel.id, NEIGHBOUR, "web", is_server=False)
        ),
        "another workload's name on this tunnel": pki.encode(
            pki.issue_tunnel(pair.west.issuer, now, tunnel.id, WEST, "cache", is_server=False)
        ),
        "the tunnel of another tenant": pair.west.credential(pair.others, is_server=False),
        "the agent's own certificate": pki.encode(pki.issue_client(pair.west.issuer, now)),
        "the server's own provider": pair.east.credential(tunnel, is_server=False),
        "another provider": third.credential(tunnel, is_server=False),
        "a root that is only named like the provider's": fake.credential(tunnel, is_server=False),
        "a certificate for servers": pki.encode(
            pki.issue_tunnel(pair.west.issuer, now, tunnel.id, WEST, "web", is_server=True)
        ),
        "expired": pair.west.credential(tunnel, is_server=False, now=now - timedelta(hours=25)),
        "not yet valid": pair.west.credential(tunnel, is_server=False, now=now + timedelta(minutes=10)),
    }


async def test_h24_h21_tunnel__certificates_of_thieves__get_no_connection_and_no_answer_about_health(
    pair: Pair,
) -> None:
    before = pair.reached()

    for thief, credential in credentials_of_thieves(pair).items():
        for alpn in ((), (HEALTH_PROTOCOL,)):
            answer = await pair.attack(pair.tunnel, credential, alpn)
            assert "hello" not in answer and "HTTP" not in answer, (thief, answer)

    assert pair.reached() == before
    good = pair.west.credential(pair.tunnel, is_server=False)
    assert await pair.attack(pair.tunnel, good) == "db:hello"
    assert "200 OK" in await pair.attack(pair.tunnel, good, (HEALTH_PROTOCOL,))


@pytest.mark.parametrize("name", ["unknown.moorage", "", "{name}.", "x.{name}", "health.{name}"])
async def test_h24_tunnel__name_that_is_no_tunnels__is_refused(pair: Pair, name: str) -> None:
    asked = name.format(name=pair.east.server_name(pair.tunnel))
    before = pair.reached()

    credential = pair.west.credential(pair.tunnel, is_server=False)
    answer = await attack(pair.server.address, asked, client_context(credential))

    assert "hello" not in answer
    assert pair.reached() == before


async def test_h26_tunnel__client_that_speaks_tls_1_2_at_most__is_refused(pair: Pair) -> None:
    credential = pair.west.credential(pair.tunnel, is_server=False)

    context = client_context(credential, ssl.TLSVersion.TLSv1_2)
    answer = await attack(pair.server.address, pair.east.server_name(pair.tunnel), context)

    assert answer == "TLSV1_ALERT_PROTOCOL_VERSION"


async def test_h24_tunnel__session_of_one_tunnel_for_another__is_not_resumed(pair: Pair) -> None:
    first = pair.east.server_name(pair.tunnels["cache", "db"])
    context = client_context(pair.west.credential(pair.tunnels["cache", "db"], is_server=False))

    tried = [await asyncio.to_thread(resume, pair.server.address, context, first, first)]
    tried.append(
        await asyncio.to_thread(resume, pair.server.address, context, first, pair.east.server_name(pair.tunnel))
    )

    assert [each.is_resumed for each in tried] == [False, False]
    assert [each.answer for each in tried] == ["db:hello", ""]


@dataclass(frozen=True, slots=True)
class Resumption:
    is_resumed: bool
    answer: str


def resume(address: str, context: ssl.SSLContext, first: str, second: str) -> Resumption:
    """Speak under one name, and then under another with the session of the first."""
    plain = socket.create_connection((address, INBOUND_PORT), PATIENCE_SECONDS)
    with context.wrap_socket(plain, server_hostname=first) as tls:
        tls.sendall(b"hello")
        assert tls.recv(100)
        session = tls.session
    with socket.create_connection((address, INBOUND_PORT), PATIENCE_SECONDS) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=second, session=session) as tls:
                tls.sendall(b"hello")
                return Resumption(bool(tls.session_reused), tls.recv(100).decode())
        except (ssl.SSLError, ConnectionError):
            return Resumption(False, "")


async def test_h23_tunnel__peers_root_is_replaced__old_certificates_are_refused_at_once(pair: Pair) -> None:
    edge = ("cache", "db")
    tunnel, file = pair.tunnels[edge], roots_file(pair.tunnels[edge])
    old, before = pair.west.credential(tunnel, is_server=False), pair.west.roots_pem
    swapped = Provider(ProviderNumber(2))

    await pair.server.replace("ca-file", file, swapped.roots_pem)
    try:
        answers = [await pair.attack(tunnel, each.credential(tunnel, is_server=False)) for each in (swapped, pair.west)]
        answers.append(await pair.attack(tunnel, old))
    finally:
        await pair.server.replace("ca-file", file, before)

    assert [answer == "db:hello" for answer in answers] == [True, False, False]
    assert await pair.attack(tunnel, old) == "db:hello"


async def test_h16_tunnel__strangers_connect_and_say_nothing__are_dropped_and_quiet_tunnels_go_on(pair: Pair) -> None:
    reader, writer = await pair.consumer.connect(pair.tunnel)
    strangers = [await asyncio.open_connection(pair.server.address, INBOUND_PORT) for _ in range(100)]

    async with asyncio.timeout(HANDSHAKE_SECONDS + BUSY_SECONDS):
        endings = await asyncio.gather(*(stranger.read() for stranger, _ in strangers), return_exceptions=True)

    assert len(endings) == 100
    writer.write(b"hello")
    writer.write_eof()
    assert await reader.read() == b"db:hello"
    for each in (writer, *(stranger for _, stranger in strangers)):
        each.close()

"""Peers that open connections and do nothing with them, or too slowly, or too many."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from moorage import pki, tls
from moorage.request_auth import Action
from provider_agent.shell.connection_guard import ConnectionLimits
from provider_agent.shell.rate_limit import Rate
from tests.fakes.agent_world import DOMAIN, FAST, GOOD, LEASE, PROVIDER, PUT, World, running, signed

HEALTH = Action("", PROVIDER, LEASE, "GET", "/healthz")
NAME = pki.provider_name(PROVIDER, DOMAIN.exchange)
PATIENCE_SECONDS = 60.0
LONG = 3_600
"""Seconds; so that nothing is cut because of its age."""
ONCE_AND_AGAIN = Rate(per_second=0, burst=2)
"""Two, and no more however long it takes."""
A_MOMENT = 0.3
"""Seconds in which a connection would be cut, if it were."""


async def connect(world: World, source: str = "127.0.0.2") -> socket.socket:
    """Open a connection from one of loopback's many addresses, and say nothing."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", world.port))
    return connection


async def is_cut(connection: socket.socket, seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether the server hangs up within some time."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().sock_recv(connection, 1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


async def are_cut(connections: list[socket.socket], kept: int) -> list[bool]:
    """Return of each whether the server hangs up; the first ones are looked at when it has had time for the others."""
    cut = await asyncio.gather(*map(is_cut, connections[kept:]))
    return [*await asyncio.gather(*(is_cut(each, A_MOMENT) for each in connections[:kept])), *cut]


async def all_gone(world: World) -> None:
    """Wait until the server has noticed that nobody is there any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while world.guards[0]._open:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def shaken_hands(world: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect; on a busy machine the handshake may take longer than a connection that lives for a second."""
    context = tls.ssl_client_context(world.root.der)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(ConnectionError, ssl.SSLError):
                return await asyncio.open_connection("127.0.0.1", world.port, ssl=context, server_hostname=NAME)


@asynccontextmanager
async def talking(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await shaken_hands(world)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server hangs up."""
    with suppress(ConnectionError, ssl.SSLError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.read()
    return b""


async def test_h16_listener__more_than_one_peers_share__cuts_it_and_serves_others(tmp_path: Path) -> None:
    async with running(tmp_path, limits=ConnectionLimits(life_seconds=LONG, per_peer=3, new_per_peer=FAST)) as world:
        connections = [await connect(world) for _ in range(100)]

        cut = await are_cut(connections, kept=3)

        assert cut == [False] * 3 + [True] * 97
        assert (await world.ask(HEALTH, account=None)).status == 200


async def test_h16_listener__more_than_the_total__cuts_them(tmp_path: Path) -> None:
    async with running(tmp_path, limits=ConnectionLimits(life_seconds=LONG, total=3, new_per_peer=FAST)) as world:
        connections = [await connect(world, f"127.0.0.{number}") for number in range(2, 7)]

        assert await are_cut(connections, kept=3) == [False] * 3 + [True] * 2


async def test_h16_listener__faster_than_a_peers_rate__cuts_it(tmp_path: Path) -> None:
    async with running(tmp_path, limits=ConnectionLimits(life_seconds=LONG, new_per_peer=ONCE_AND_AGAIN)) as world:
        connections = [await connect(world) for _ in range(3)]

        assert await are_cut(connections, kept=2) == [False, False, True]


async def test_h16_listener__peer_that_hung_up__makes_room(tmp_path: Path) -> None:
    async with running(tmp_path, limits=ConnectionLimits(life_seconds=LONG, per_peer=1, new_per_peer=FAST)) as world:
        for _ in range(5):
            connection = await connect(world)
            assert not await is_cut(connection, 0.1)
            connection.close()
            await all_gone(world)


async def test_h16_listener__many_requests_after_each_other__all_make_room(tmp_path: Path) -> None:
    async with running(tmp_path, limits=ConnectionLimits(life_seconds=LONG, per_peer=2, new_per_peer=FAST)) as world:
        for _ in range(10):
            assert (await world.ask(HEALTH, account=None)).status == 200
            await all_gone(world)


async def test_h16_listener__handshake_that_never_comes__is_cut_in_time(tmp_path: Path) -> None:
    async with running(tmp_path, limits=ConnectionLimits(life_seconds=1, new_per_peer=FAST)) as world:
        began = asyncio.get_running_loop().time()
        connection = await connect(world)

        assert await is_cut(connection)
        assert asyncio.get_running_loop().time() - began >= 1


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"],
    ids=["nothing", "half a line", "half a head"],
)
async def test_h16_listener__request_that_never_ends__is_cut_in_time(tmp_path: Path, beginning: bytes) -> None:
    async with (
        running(tmp_path, limits=ConnectionLimits(life_seconds=1, new_per_peer=FAST)) as world,
        talking(world) as (
            reader,
            writer,
        ),
    ):
        writer.write(beginning)

        assert await rest(reader) == b""


async def test_h16_listener__body_that_never_ends__is_cut_in_time_and_stores_nothing(tmp_path: Path) -> None:
    head = f"PUT {PUT.path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(GOOD)}\r\nAuthorization: {signed(PUT, GOOD)}"
    async with (
        running(tmp_path, limits=ConnectionLimits(life_seconds=1, new_per_peer=FAST)) as world,
        talking(world) as (
            reader,
            writer,
        ),
    ):
        writer.write(head.encode() + b"\r\n\r\n" + GOOD[:-1])

        assert b"202" not in await rest(reader)
        assert await world.store.leases() == frozenset()


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 100_000,
        b"\r\n".join(b"X-%d: a" % number for number in range(100)),
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Bad\x00Name: a",
    ],
    ids=["long", "many", "two lengths", "length and chunks", "nul"],
)
async def test_h16_h17_listener__bad_head__is_refused_without_a_word_in_the_log(
    tmp_path: Path, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as world, talking(world) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n")

        answer = await rest(reader)

    assert b" 400 " in answer.splitlines()[0]
    assert not any(word in answer for word in (b"Traceback", b".py"))
    assert caplog.records == []


async def test_h17_listener__second_request_on_a_connection__is_not_served(tmp_path: Path) -> None:
    async with running(tmp_path) as world, talking(world) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 2)

        assert (await rest(reader)).count(b"HTTP/1.1") == 1


async def test_h26_listener__tls_1_2__is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        context = tls.ssl_client_context(world.root.der)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2

        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", world.port, ssl=context, server_hostname=NAME)


async def test_h26_listener__plain_http__is_not_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")

        assert b"HTTP/" not in await rest(reader)
        writer.close()

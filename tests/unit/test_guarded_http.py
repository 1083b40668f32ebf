"""Addresses that are not connected to, however they are written and whoever reads them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp.abc import ResolveResult
from yarl import URL

from moorage.guarded_http import Forbidden, GuardedHttp
from moorage.reachable import PUBLIC
from tests.file_server import FileServer, serving

NUMBERS = ("2130706433", "017700000001", "0177.0.0.1", "0x7f.1", "0x7f000001", "127.1", "[::ffff:7f00:1]")
"""All are 127.0.0.1 to one program or another."""


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as files:
        files.put("/", b"inside")
        yield files


@pytest.fixture
async def http() -> AsyncIterator[GuardedHttp]:
    opened = GuardedHttp(PUBLIC)
    yield opened
    await opened.close()


@pytest.mark.parametrize("host", [*NUMBERS, "localhost", "localhost."])
async def test_h07_get__loopback_in_any_spelling__is_not_connected_to(
    server: FileServer, http: GuardedHttp, host: str
) -> None:
    with pytest.raises(aiohttp.ClientError):
        await http.get(URL(f"http://{host}:{server.port}/", encoded=True), {})


@pytest.mark.parametrize("host", [*NUMBERS, "example.com"])
async def test_h07_get__library_takes_a_host_for_loopback__is_refused_where_it_is_connected_to(
    server: FileServer, http: GuardedHttp, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loopback(_: object, host: str, port: int, **__: object) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    monkeypatch.setattr(aiohttp.TCPConnector, "_resolve_host", loopback)

    with pytest.raises(Forbidden, match="is not a public address"):
        await http.get(URL(f"http://{host}:{server.port}/", encoded=True), {})

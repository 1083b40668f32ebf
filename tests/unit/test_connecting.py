"""Why there is no connection: the reason once, in words, and nothing of the library."""

from __future__ import annotations

import asyncio
import errno
import socket

import aiohttp
import pytest

from moorage.connecting import why_unreachable
from tests.recipients import certificates


async def reason(url: str) -> str:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.get(url)
    assert "ssl:" in str(caught.value)  # what the library says, with the address
    return why_unreachable(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_why_unreachable__nobody_listens__is_refused(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    assert await reason(f"{scheme}://127.0.0.1:{port}/") == "Connection refused"


async def test_why_unreachable__name_of_nobody__is_said_in_the_systems_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", nobody)

    assert await reason("https://nowhere.example/") == "Name or service not known"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "not in time"),
        (aiohttp.ServerTimeoutError("Connection timeout to host http://node/?key=1"), "not in time"),
        (aiohttp.ServerDisconnectedError(), "it has hung up"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "Can not write for http://node/?key=1"), "Connection reset by peer"),
        (OSError("Multiple exceptions"), "Multiple exceptions"),
        (ValueError("too long"), "too long"),
        (OSError(), "OSError"),
    ],
)
def test_why_unreachable__other_errors__have_words(error: Exception, words: str) -> None:
    assert why_unreachable(error) == words


async def test_why_unreachable__certificate_of_a_stranger__is_not_valid() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=certificates().server)
    async with server:
        port = server.sockets[0].getsockname()[1]

        assert (await reason(f"https://127.0.0.1:{port}/")).startswith("its certificate is not valid: ")

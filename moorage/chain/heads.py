"""Wakes a daemon's loop at each new block: told by a WebSocket where there is one, and in any case by asking.

What wakes is never believed: the loop reads the newest block itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import msgspec
import structlog

from moorage.chain.rpc import ChainError, Rpc, as_number

POLL_SECONDS = 0.2
RETRY_SECONDS = 2.0
TOLD_POLL_SECONDS = 1.0
"""How often the node is asked while a WebSocket tells; a silent one costs this much, and a connection."""
CONNECT_SECONDS = 10.0
SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}

log = structlog.get_logger(__name__)


class HeadFeed:
    """A subscription of new heads that is opened again whenever it ends or has become silent."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: ws(s)://host:port of a node; it may hold an access token and is never shown.
        """
        self._url = url
        self._connection: aiohttp.ClientWebSocketResponse | None = None
        self._told = -1
        self.news = asyncio.Event()
        """Set when a head was told."""

    @property
    def is_telling(self) -> bool:
        """Whether the subscription is open and has told something."""
        return self._connection is not None and self._told >= 0

    async def run(self) -> None:
        """Listen until cancelled."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
                        await self._listen(session)
                finally:
                    self._connection, self._told = None, -1
                log.info("no subscription of heads: asking for them")
                await asyncio.sleep(RETRY_SECONDS)

    async def check(self, height: int) -> None:
        """Compare with what the node itself said: a subscription that has missed it is closed, and opened again."""
        if self._connection is not None and 0 <= self._told < height:
            log.warning("the subscription of heads is silent", told=self._told, height=height)
            await self._connection.close()

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await session.ws_connect(self._url, heartbeat=30.0)
        try:
            await connection.send_str(msgspec.json.encode(SUBSCRIBE).decode())
            self._connection = connection
            async for message in connection:
                height = _height(message)
                if height is not None:
                    self._told = height
                    self.news.set()
        finally:
            await connection.close()


async def new_blocks(
    rpc: Rpc, stop: asyncio.Event, feed: HeadFeed | None = None, again: asyncio.Event | None = None
) -> AsyncIterator[int]:
    """Yield the height at each new block until `stop` is set; a slow consumer misses blocks, which is fine.

    Args:
        feed: tells of new heads sooner than asking does.
        again: asks for the same height once more.
    """
    listening = asyncio.create_task(feed.run()) if feed else None
    try:
        last = -1
        while not stop.is_set():
            wait = TOLD_POLL_SECONDS if feed and feed.is_telling else POLL_SECONDS
            asks = again
            try:
                height = as_number(await rpc.call("eth_blockNumber"))
                is_asked = again is not None and again.is_set()
                if height != last or is_asked:
                    last = height
                    if again is not None:
                        again.clear()
                    yield height
                elif feed:
                    await feed.check(height)
            except ChainError as error:
                log.warning("node unavailable", reason=str(error))
                wait, asks = RETRY_SECONDS, None  # it is still set
            await _first_of(wait, stop, feed.news if feed else None, asks)
            if feed:
                feed.news.clear()
    finally:
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening


async def _first_of(seconds: float, *events: asyncio.Event | None) -> None:
    """Wait until one of the events is set, or for so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in events if event is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class _Header(msgspec.Struct):
    number: str


class _Params(msgspec.Struct):
    result: _Header


class _Frame(msgspec.Struct):
    params: _Params


def _height(message: aiohttp.WSMessage) -> int | None:
    """Return the height that a frame tells, None if it is no notification of a head."""
    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        return None
    with suppress(msgspec.DecodeError, ChainError, UnicodeDecodeError):
        return as_number(msgspec.json.decode(message.data, type=_Frame).params.result.number)
    return None

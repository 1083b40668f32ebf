"""What wakes a daemon's loop: each new block, whatever the node answers in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from moorage.chain import heads
from moorage.chain.heads import HeadFeed, new_blocks
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from tests.fakes.market_node import MarketNode


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(heads, "RETRY_SECONDS", 0.001)


async def heights(answers: list[Any], count: int) -> list[int]:
    """Return what comes of a node's answers, the last of which is repeated."""
    node, stop = MarketNode(), asyncio.Event()

    def answer() -> Any:
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(given, Exception):
            raise given
        return given

    node._eth_blockNumber = answer  # type: ignore[method-assign]
    found = []
    async for height in new_blocks(node, stop):
        found.append(height)
        if len(found) == count:
            stop.set()
    return found


async def test_new_blocks__node_goes_on__gives_each_height_once() -> None:
    assert await heights(["0x1", "0x1", "0x2", "0x2", "0x2", "0x5"], 3) == [1, 2, 5]


async def test_new_blocks__chain_becomes_shorter__gives_the_height_again() -> None:
    assert await heights(["0x5", "0x4", "0x5"], 3) == [5, 4, 5]


@pytest.mark.parametrize(
    "nothing",
    [NodeUnavailable("no answer"), NodeRefused(-32000, "busy", None), None, "", "0x", "latest", 7, {}],
)
async def test_g12_new_blocks__node_fails_or_answers_nonsense__goes_on(nothing: Any) -> None:
    assert await heights([nothing, "0x1", nothing, nothing, "0x2"], 2) == [1, 2]


async def test_new_blocks__stopped_before__gives_none() -> None:
    stop = asyncio.Event()
    stop.set()

    assert [height async for height in new_blocks(MarketNode(), stop)] == []


async def test_new_blocks__stopped_while_waiting__ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "POLL_SECONDS", 1_000)
    stop, has_begun = asyncio.Event(), asyncio.Event()

    async def watch() -> None:
        async for _ in new_blocks(MarketNode(), stop):
            has_begun.set()

    watching = asyncio.create_task(watch())
    await has_begun.wait()
    stop.set()

    await watching


# ------------------------------------------------------------------ told by a WebSocket


@dataclass
class Teller:
    """The WebSocket side of a node."""

    url: str = ""
    connections: list[web.WebSocketResponse] = field(default_factory=list)
    subscriptions: list[Any] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        self.connections.append(connection)
        async for message in connection:
            if message.type is WSMsgType.TEXT:  # there are nodes that pass over all others
                self.subscriptions.append(json.loads(message.data))
        return connection

    async def tell(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.connections[-1].send_str(text)

    async def tell_head(self, height: int) -> None:
        await self.tell({"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": {"number": hex(height)}}})


@asynccontextmanager
async def telling() -> AsyncIterator[Teller]:
    teller, application = Teller(), web.Application()
    application.router.add_get("/", teller.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        teller.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
        yield teller
    finally:
        await runner.cleanup()


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[HeadFeed]:
    feed = HeadFeed(url)
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Any) -> None:
    for _ in range(5_000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("not in time")


async def test_feed__heads_told__set_the_news_and_it_is_telling() -> None:
    async with telling() as teller, listening(teller.url) as feed:
        await until(lambda: teller.subscriptions)
        assert teller.subscriptions[0]["params"] == ["newHeads"]
        assert not feed.is_telling

        await teller.tell_head(7)
        await until(feed.news.is_set)

        assert feed.is_telling


@pytest.mark.parametrize("frame", ["", "{", "[]", {}, {"params": {"result": {"number": "x"}}}, {"result": "0x1"}])
async def test_g12_feed__frame_that_is_nonsense__tells_nothing_and_the_next_one_counts(frame: Any) -> None:
    async with telling() as teller, listening(teller.url) as feed:
        await until(lambda: teller.subscriptions)

        await teller.tell(frame)
        await teller.tell_head(7)
        await until(feed.news.is_set)

        assert len(teller.connections) == 1


async def test_g09_feed__connection_is_cut__is_opened_again() -> None:
    async with telling() as teller, listening(teller.url) as feed:
        for count in range(1, 4):
            await until(lambda count=count: len(teller.subscriptions) == count)
            await teller.tell_head(count)
            await until(lambda: feed.is_telling)
            await teller.connections[-1].close()
            await until(lambda: not feed.is_telling)


async def test_g11_feed__open_and_silent_while_the_node_goes_on__is_closed_and_opened_again() -> None:
    async with telling() as teller, listening(teller.url) as feed:
        await until(lambda: teller.subscriptions)
        await teller.tell_head(7)
        await until(lambda: feed.is_telling)

        await feed.check(7)
        assert len(teller.connections) == 1
        await feed.check(8)

        await until(lambda: len(teller.subscriptions) == 2)


async def test_d05_feed__nobody_listens_there__goes_on_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening("ws://127.0.0.1:1/") as feed:
        await asyncio.sleep(0.05)

        assert not feed.is_telling


async def test_g09_new_blocks__told__come_at_once_and_missed_ones_by_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "TOLD_POLL_SECONDS", 0.05)
    node, stop, found = MarketNode(), asyncio.Event(), []

    async def watch(feed: HeadFeed) -> None:
        async for height in new_blocks(node, stop, feed):
            found.append(height)

    async with telling() as teller:
        watching = asyncio.create_task(watch(HeadFeed(teller.url)))
        await until(lambda: teller.subscriptions)
        first = node.head.number
        await teller.tell_head(first)

        node.add()
        await teller.tell_head(first + 1)
        await until(lambda: first + 1 in found)
        node.add()  # and nobody tells
        await until(lambda: first + 2 in found)
        await until(lambda: len(teller.subscriptions) == 2)

        stop.set()
        await watching


async def test_new_blocks__stopped_while_told__ends_the_subscription() -> None:
    stop = asyncio.Event()
    async with telling() as teller:
        async for _ in new_blocks(MarketNode(), stop, HeadFeed(teller.url)):
            await until(lambda: teller.subscriptions)
            stop.set()
        await until(lambda: teller.connections[0].closed)


async def test_new_blocks__asked_for_once_more__gives_the_same_height_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "POLL_SECONDS", 1_000)
    stop, again = asyncio.Event(), asyncio.Event()
    found = []

    async for height in new_blocks(MarketNode(), stop, again=again):
        found.append(height)
        (again if len(found) < 3 else stop).set()

    assert len(set(found)) == 1 and len(found) == 3
    assert not again.is_set()


async def test_g12_new_blocks__asked_for_once_more_while_the_node_is_away__it_is_not_asked_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heads, "RETRY_SECONDS", 1_000)
    node, again = MarketNode(), asyncio.Event()
    node.faults["eth_blockNumber"] = [NodeUnavailable("no answer")] * 1_000
    again.set()

    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            async for _ in new_blocks(node, asyncio.Event(), again=again):
                pass

    assert node.count("eth_blockNumber") == 1

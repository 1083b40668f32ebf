"""A JSON-RPC man in the middle: HTTP and WebSocket, single calls and batches. Without faults it changes nothing.

async with run_proxy(chain.url, seed=7) as proxy:
    proxy.add("lag", Schedule(first_block=10, last_block=20))
    async with Rpc(proxy.url) as rpc: ...
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any

import aiohttp
from aiohttp import web

from tests.chaos.fault import Answer, Call, Cut, Fault, Forward, Reply
from tests.chaos.schedule import Rule, Schedule
from tests.chaos.sockets import Subscriber
from tests.chaos.table import FAULTS

LARGEST_REQUEST = 2**26


class Proxy:
    """Stands before one node and spoils what its rules say."""

    def __init__(
        self, upstream: str, seed: int, waiting: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> None:
        """
        Args:
            upstream: http://host:port of the true node.
            seed: of the probabilities; the same seed and the same calls meet the same faults.
            waiting: is entered while the node is asked, for a clock that has to know.
        """
        self.upstream = upstream
        self.seed = seed
        self.rules: list[Rule] = []
        self.calls: Counter[str] = Counter()
        """How often each method was asked for."""
        self.height: int | None = None
        """The true chain's, by which schedules go; None: the node is asked."""
        self.mistakes: list[Exception] = []
        """What went wrong here without being meant: the proxy's own errors, never the client's."""
        self.port = 0
        self.subscribers: set[Subscriber] = set()
        self._dead: set[str] = set()
        self._waiting = waiting
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    def add(self, fault: str | Fault, schedule: Schedule | None = None) -> Rule:
        """Have a fault from now on; later ones act on what earlier ones leave."""
        name = fault if isinstance(fault, str) else type(fault).__name__
        built = FAULTS[fault]() if isinstance(fault, str) else fault
        rule = Rule(built, schedule or Schedule(), f"{self.seed}:{len(self.rules)}:{name}")
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Have no faults any more."""
        self.rules.clear()

    def bury(self, path: str) -> None:
        """Reset every connection that comes by this path: its process is dead and can send nothing more."""
        self._dead.add(path)

    async def ask(self, method: str, *params: Any) -> Any:
        """Return a result of the true node."""
        answer = await self.forward(Call(method, list(params)))
        assert "result" in answer, answer
        return answer["result"]

    async def forward(self, call: Call) -> Answer:
        """Return what the true node answers to a call."""
        body = {"jsonrpc": "2.0", "id": 1, "method": call.method, "params": call.params}
        reply = await self._post(json.dumps(body).encode())
        answer = json.loads(reply.body)
        return {key: answer[key] for key in ("result", "error") if key in answer}

    async def struck(self, *methods: str) -> list[list[Fault]]:
        """Return the faults that strike each call of one request now."""
        if not self.rules:
            return [[] for _ in methods]
        height = self.height
        if height is None and any(rule.schedule.needs_height for rule in self.rules):
            height = int(await self.ask("eth_blockNumber"), 16)
        struck = [(rule.fault, rule.strikes_any(methods, height or 0)) for rule in self.rules]
        return [[fault for fault, which in struck if which[at]] for at in range(len(methods))]

    async def exchange(self, message: Any, forward: Forward) -> Reply | None:
        """Return what a client gets for a call or a batch; None is what the node says, unchanged."""
        frames = message if isinstance(message, list) else [message]
        calls = [Call(frame.get("method", ""), list(frame.get("params") or ())) for frame in frames]
        self.calls.update(call.method for call in calls)
        struck = await self.struck(*(call.method for call in calls))
        faults = list(dict.fromkeys(fault for each in struck for fault in each))
        if not faults:
            return None
        for fault in faults:
            reply = await fault.receive(calls, self)
            if reply is not None:
                return reply
        answers = [
            {"jsonrpc": "2.0", "id": frame.get("id"), **await self._answer(call, each, forward)}
            for frame, call, each in zip(frames, calls, struck, strict=True)
        ]
        body = json.dumps(answers if isinstance(message, list) else answers[0]).encode()
        reply = Reply(body, headers={"Content-Type": "application/json"})
        for fault in faults:
            reply = await fault.reply(calls, reply)
        return reply

    async def _answer(self, call: Call, faults: Sequence[Fault], forward: Forward) -> Answer:
        if not faults:
            return await forward(call)
        first, *rest = faults

        async def onwards(changed: Call) -> Answer:
            return await self._answer(changed, rest, forward)

        return await first.answer(call, onwards, self)

    async def _post(self, body: bytes) -> Reply:
        headers = {"Content-Type": "application/json"}
        with self._waiting():
            async with self.session.post(self.upstream, data=body, headers=headers) as response:
                return Reply(await response.read(), response.status, {"Content-Type": response.content_type})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.path in self._dead:
            return _break(request)
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._subscribe(request)
            body = await request.read()
            reply = await self.exchange(json.loads(body), self.forward) or await self._post(body)
        except Cut:
            return _break(request)
        except Exception as error:
            self.mistakes.append(error)
            raise
        if request.path in self._dead:
            return _break(request)
        return web.Response(body=reply.body, status=reply.status, headers=reply.headers)

    async def _subscribe(self, request: web.Request) -> web.StreamResponse:
        down = web.WebSocketResponse(max_msg_size=LARGEST_REQUEST)
        await down.prepare(request)
        upstream = self.upstream.replace("http", "ws", 1)
        async with self.session.ws_connect(upstream, max_msg_size=LARGEST_REQUEST) as up:
            subscriber = Subscriber(self, down, up, self._waiting)
            self.subscribers.add(subscriber)
            try:
                await subscriber.serve()
            except Cut:
                _break(request)
            finally:
                self.subscribers.discard(subscriber)
        return down

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Listen on loopback until the end of the block."""
        application = web.Application(client_max_size=LARGEST_REQUEST)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # who has hung up is not worked for any more
        runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.01)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as self._session:
            await runner.setup()
            try:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                self.port = runner.addresses[0][1]
                yield self
            finally:
                await runner.cleanup()


def _break(request: web.Request) -> web.StreamResponse:
    """Reset the connection: the client sees no end, but a fault."""
    transport = request.transport
    if transport is not None:
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    raise asyncio.CancelledError


@asynccontextmanager
async def run_proxy(upstream: str, seed: int = 0) -> AsyncIterator[Proxy]:
    """Run a proxy before a node until the end of the block. Its seed is printed: a failed run can be repeated."""
    print(f"chaos proxy before {upstream}, seed {seed}")
    async with Proxy(upstream, seed).running() as proxy:
        yield proxy

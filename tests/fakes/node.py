"""An Ethereum node that answers on loopback over real HTTP, with what a test tells it to answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from moorage.chain.rpc import Rpc

PATIENT = aiohttp.ClientTimeout(total=30)
HASTY = aiohttp.ClientTimeout(total=0.2)
Responder = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answerer = Callable[[str, list[Any]], Any]


class Refusal(Exception):
    """Raised by an answerer: a JSON-RPC error."""

    def __init__(self, message: str, data: Any = None, code: int = 3) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})


class Silence(Exception):
    """Raised by an answerer: the connection ends without an answer, whatever was done before."""


@dataclass
class Node:
    """A running fake."""

    url: str = ""
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    """All calls that came, in their order."""

    def params(self, method: str) -> list[list[Any]]:
        return [params for name, params in self.calls if name == method]


@asynccontextmanager
async def serving(
    respond: Callable[[web.Request], Awaitable[web.StreamResponse]], path: str = "/"
) -> AsyncIterator[str]:
    """Serve POST requests as told while the block runs; yields the URL."""
    application = web.Application()
    application.router.add_post("/{rest:.*}", respond)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_node(body: bytes | str, status: int = 200, content_type: str = "application/json") -> AsyncIterator[Rpc]:
    """Run a node that answers everything with the same bytes."""

    async def respond(request: web.Request) -> web.Response:
        await request.read()
        data = body if isinstance(body, bytes) else body.encode()
        return web.Response(body=data, status=status, content_type=content_type)

    async with serving(respond) as url, Rpc(url, PATIENT) as rpc:
        yield rpc


@asynccontextmanager
async def fake_node(answer: Answerer) -> AsyncIterator[tuple[Node, Rpc]]:
    """Run a node that calls `answer(method, params)` for each call, and a client of it."""
    node = Node()

    def result(call: dict[str, Any]) -> dict[str, Any]:
        node.calls.append((call["method"], call["params"]))
        try:
            return {"jsonrpc": "2.0", "id": call["id"], "result": answer(call["method"], call["params"])}
        except Refusal as refusal:
            return {"jsonrpc": "2.0", "id": call["id"], "error": refusal.error}

    async def respond(request: web.Request) -> web.Response:
        calls = json.loads(await request.read())
        try:
            document = [result(call) for call in calls] if isinstance(calls, list) else result(calls)
        except Silence:
            assert request.transport is not None
            request.transport.abort()
            document = None
        return web.json_response(document)

    async with serving(respond) as node.url, Rpc(node.url, PATIENT) as rpc:
        yield node, rpc

"""Faults of the way to the node: what comes back is no answer, though the node may have acted on the call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from tests.chaos.fault import Answer, Call, Cut, Fault, Forward, Node, Reply, error

PAGE = b"<html><body><h1>503 Service Unavailable</h1></body></html>"


class Hang(Fault):
    """Never answers, until the client has enough."""

    async def receive(self, calls: Sequence[Call], node: Node) -> Reply | None:
        await asyncio.Event().wait()
        return None


class Reset(Fault):
    """Breaks the connection before anything is forwarded."""

    async def receive(self, calls: Sequence[Call], node: Node) -> Reply | None:
        raise Cut


class TooManyRequests(Fault):
    """429 with Retry-After, as providers of nodes answer beyond a quota."""

    def __init__(self, seconds: int = 1) -> None:
        self._seconds = seconds

    async def receive(self, calls: Sequence[Call], node: Node) -> Reply | None:
        body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"daily request count exceeded"}}'
        return Reply(body, 429, {"Retry-After": str(self._seconds), "Content-Type": "application/json"})


class ErrorPage(Fault):
    """503 with a page for people, as a proxy answers whose node is gone."""

    async def receive(self, calls: Sequence[Call], node: Node) -> Reply | None:
        return Reply(PAGE, 503, {"Content-Type": "text/html"})


class Slow(Fault):
    """Answers rightly and late."""

    def __init__(self, milliseconds: int = 300) -> None:
        self._milliseconds = milliseconds

    async def receive(self, calls: Sequence[Call], node: Node) -> Reply | None:
        await asyncio.sleep(self._milliseconds / 1_000)
        return None


class Truncated(Fault):
    """The node has acted, and half of its JSON arrives."""

    async def reply(self, calls: Sequence[Call], reply: Reply) -> Reply:
        return Reply(reply.body[: len(reply.body) // 2], reply.status, reply.headers)


class WrongId(Fault):
    """Answers as if to other calls than were made, as a mixed-up connection pool does."""

    async def reply(self, calls: Sequence[Call], reply: Reply) -> Reply:
        body = json.loads(reply.body)
        for answer in body if isinstance(body, list) else [body]:
            answer["id"] = (answer.get("id") or 0) + 1_000_000
        return Reply(json.dumps(body).encode(), reply.status, reply.headers)


class PartialBatch(Fault):
    """Of a batch every third answer is an error and the last is missing; a single call is left alone."""

    async def reply(self, calls: Sequence[Call], reply: Reply) -> Reply:
        body = json.loads(reply.body)
        if not isinstance(body, list):
            return reply
        for answer in body[::3]:
            answer.pop("result", None)
            answer["error"] = {"code": -32000, "message": "header not found"}
        return Reply(json.dumps(body[:-1] if len(body) > 1 else body).encode(), reply.status, reply.headers)


class InternalError(Fault):
    """Answers with an error where a value is expected: what was once read as absence."""

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        return error(-32603, "internal error")

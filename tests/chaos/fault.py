"""What a fault of a node is: it may come before a call, in place of its answer, after the reply, or into a push.

A fault overrides what it is about and inherits that nothing happens. When it strikes is the schedule's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Answer = dict[str, Any]
"""A JSON-RPC answer without its frame: `result` or `error`."""
Frame = dict[str, Any]
"""A push of a WebSocket subscription."""
HEAD_PUSH = "eth_subscription newHeads"
LOG_PUSH = "eth_subscription logs"
"""What pushes are called where calls have the name of their method."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method called by a client."""

    method: str
    params: list[Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client gets over HTTP; over a WebSocket only the body counts."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Cut(Exception):
    """The connection is to be reset."""


class Node(Protocol):
    """The true node behind the proxy."""

    async def ask(self, method: str, *params: Any) -> Any:
        """Return a result of the true node.

        Raises:
            AssertionError: it refuses.
        """
        ...


Forward = Callable[[Call], Awaitable[Answer]]


class Fault:
    """One way in which a node fails its clients."""

    methods: frozenset[str] | None = None
    """What it is about by itself; None is every method. A schedule may narrow it."""

    async def receive(self, calls: Sequence[Call], node: Node) -> Reply | None:
        """Meet a request before the node does; a reply keeps it from the node.

        Raises:
            Cut: the connection breaks.
        """
        return None

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        """Answer one call."""
        return await forward(call)

    async def reply(self, calls: Sequence[Call], reply: Reply) -> Reply:
        """Change what goes back, as bytes.

        Raises:
            Cut: the connection breaks.
        """
        return reply

    def push(self, frame: Frame) -> list[Frame]:
        """Return the frames that a subscriber gets in place of one.

        Raises:
            Cut: the connection breaks.
        """
        return [frame]


def result(value: Any) -> Answer:
    return {"result": value}


def error(code: int, message: str) -> Answer:
    return {"error": {"code": code, "message": message}}


def only(*methods: str) -> frozenset[str]:
    return frozenset(methods)

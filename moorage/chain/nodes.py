"""Several nodes of one chain as one: whichever answers is asked, and transactions go to all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

import aiohttp
import structlog

from moorage.chain.rpc import TIMEOUT, NodeRefused, NodeUnavailable, Rpc

BROADCAST = "eth_sendRawTransaction"
HASTY = aiohttp.ClientTimeout(total=6, sock_connect=2)
"""When another node can be asked, none is waited for for long."""
RETURN_SECONDS = 60.0
"""After this long the first node is tried again."""

log = structlog.get_logger(__name__)


def connect(urls: Sequence[str]) -> Rpc:
    """Return a client of one node, or of several in the order in which they are asked."""
    if len(urls) == 1:
        return Rpc(urls[0], TIMEOUT)
    return Nodes([Rpc(url, HASTY) for url in urls])


class Nodes(Rpc):
    """Asks the first node; when it fails the next one, which is asked first from then on for a while.

    Reads of one snapshot name their block by its hash, so that a change of nodes between them mixes nothing.
    """

    def __init__(self, nodes: Sequence[Rpc], clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            nodes: at least one; the preferred one first.
            clock: tells seconds.
        """
        super().__init__(nodes[0].url)
        self.name = ", ".join(node.name for node in nodes)
        self._nodes = tuple(nodes)
        self._clock = clock
        self._current = 0
        self._since = clock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Nodes:
        for node in self._nodes:
            await self._stack.enter_async_context(node)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        """Return the result of one method, from the first node that answers.

        Raises:
            NodeUnavailable: none does.
            NodeRefused: one answered with an error.
        """
        if method == BROADCAST:
            return await self._everywhere(lambda node: node.call(method, *params, kind=kind))
        return await self._anywhere(lambda node: node.call(method, *params, kind=kind))

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
        """Return the results of several calls, all from the same node.

        Raises:
            NodeUnavailable: none answers all of them.
            NodeRefused: one answered with an error.
        """
        if any(method == BROADCAST for method, _ in calls):
            results: list[Any] = await self._everywhere(lambda node: node.batch(calls, kind))
        else:
            results = await self._anywhere(lambda node: node.batch(calls, kind))
        return results

    def distrust(self) -> None:
        """Ask the next node first from now on."""
        self._current = (self._current + 1) % len(self._nodes)
        self._since = self._clock()
        log.warning("asking another node", node=self._nodes[self._current].name)

    @property
    def others(self) -> tuple[Rpc, ...]:
        """The nodes that are not asked first now: what they say can be compared with what was answered."""
        return (*self._nodes[self._current + 1 :], *self._nodes[: self._current])

    async def _anywhere(self, ask: Callable[[Rpc], Awaitable[Any]]) -> Any:
        if self._current and self._clock() - self._since > RETURN_SECONDS:
            self._current = 0
        failures = []
        for _ in self._nodes:
            try:
                return await ask(self._nodes[self._current])
            except NodeUnavailable as error:
                failures.append(str(error))
                self.distrust()
        raise NodeUnavailable("; ".join(dict.fromkeys(failures)))

    async def _everywhere(self, ask: Callable[[Rpc], Awaitable[Any]]) -> Any:
        """Ask all at once: one that takes it is enough, and a refusal says more than no answer."""
        answers = await asyncio.gather(*(ask(node) for node in self._nodes), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for answer in answers:
            if not isinstance(answer, BaseException):
                return answer
        raise next((failure for failure in failures if isinstance(failure, NodeRefused)), failures[0])

"""Several nodes of one chain as one: whichever answers is asked, and transactions go to all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, TypeAlias

import aiohttp
import structlog

from moorage.chain.rpc import TIMEOUT, ChainError, NodeRefused, NodeUnavailable, Rpc, as_number

BROADCAST = "eth_sendRawTransaction"
HEIGHT = "eth_blockNumber"
HASTY = aiohttp.ClientTimeout(total=6, sock_connect=2)
"""When another node can be asked, none is waited for for long."""
RETURN_SECONDS = 60.0
"""After this long the first node is tried again."""
COMPARE_SECONDS = 10.0
"""So often the heights of all nodes are compared."""
LAG_BLOCKS = 3
"""A node that is further behind another one is not asked first."""

Check: TypeAlias = Callable[[Rpc], Awaitable[None]]

log = structlog.get_logger(__name__)


def connect(urls: Sequence[str]) -> Rpc:
    """Return a client of one node, or of several in the order in which they are asked."""
    if len(urls) == 1:
        return Rpc(urls[0], TIMEOUT)
    return Nodes([Rpc(url, HASTY) for url in urls])


class Nodes(Rpc):
    """Asks the first node; when it fails the next one, which is asked first from then on for a while.

    Reads of one snapshot name their block by its hash, so that a change of nodes between them mixes nothing. A node
    that answers and yet stands still is found by the heights of the others.
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
        self._compared = clock()
        self._check: Check | None = None
        self._unchecked: set[Rpc] = set()
        self._beside: set[asyncio.Task[Any]] = set()
        """What is asked and not waited for."""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Nodes:
        for node in self._nodes:
            await self._stack.enter_async_context(node)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._stack.aclose()

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        """Return the result of one method, from the first node that answers.

        Raises:
            NodeUnavailable: none does.
            NodeRefused: one answered with an error.
        """
        if method == BROADCAST:
            return await self._everywhere(lambda node: node.call(method, *params, kind=kind))
        answer = await self._anywhere(lambda node: node.call(method, *params, kind=kind))
        if method == HEIGHT and self._clock() - self._compared >= COMPARE_SECONDS:
            self._compared = self._clock()
            self._begin(self._compare(as_number(answer)))
        return answer

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

    async def verify(self, check: Check) -> None:
        """Check all nodes that answer now, and each other one before it is asked.

        Raises:
            NodeUnavailable: none answers.
            ChainError: what the check finds.
        """
        self._check, self._unchecked = check, set(self._nodes)
        failures = []
        for node in self._nodes:
            try:
                await self._verify(node)
            except NodeUnavailable as error:
                failures.append(str(error))
                log.warning("node is checked when it answers", node=node.name, reason=str(error))
        if len(failures) == len(self._nodes):
            raise NodeUnavailable("; ".join(dict.fromkeys(failures)))

    def distrust(self) -> None:
        """Ask the next node first from now on."""
        self._prefer((self._current + 1) % len(self._nodes))

    @property
    def nodes(self) -> tuple[Rpc, ...]:
        """All, in the order in which they are preferred."""
        return self._nodes

    async def checked(self, place: int) -> Rpc:
        """Return a node by its place, after it was checked.

        Raises:
            NodeUnavailable: it does not answer, or is the wrong one.
        """
        node = self._nodes[place]
        try:
            await self._verify(node)
        except ChainError as error:
            raise NodeUnavailable(str(error)) from error
        return node

    @property
    def others(self) -> tuple[Rpc, ...]:
        """The nodes that are not asked first now: what they say can be compared with what was answered."""
        nodes = (*self._nodes[self._current + 1 :], *self._nodes[: self._current])
        return tuple(node for node in nodes if node not in self._unchecked)

    async def _anywhere(self, ask: Callable[[Rpc], Awaitable[Any]]) -> Any:
        if self._current and self._clock() - self._since > RETURN_SECONDS:
            self._current, self._compared = 0, self._clock() - COMPARE_SECONDS
        failures = []
        for _ in self._nodes:
            node = self._nodes[self._current]
            try:
                await self._verify(node)
                return await ask(node)
            except NodeRefused:
                raise
            except ChainError as error:  # no answer, or the wrong node
                failures.append(str(error))
                self.distrust()
        raise NodeUnavailable("; ".join(dict.fromkeys(failures)))

    async def _verify(self, node: Rpc) -> None:
        if self._check is not None and node in self._unchecked:
            await self._check(node)
            self._unchecked.discard(node)

    async def _compare(self, height: int) -> None:
        """Ask a node first that is further than the one that has told this height."""
        told, others = self._current, self.others
        answers = await asyncio.gather(*(_height(node) for node in others))
        best, node = max(zip(answers, others, strict=True), key=lambda each: each[0], default=(-1, self))
        if best - height > LAG_BLOCKS and self._current == told:
            log.warning("node is behind another one", node=self._nodes[told].name, blocks=best - height)
            self._prefer(self._nodes.index(node))

    def _prefer(self, index: int) -> None:
        self._current, self._since = index, self._clock()
        log.warning("asking another node", node=self._nodes[index].name)

    async def _everywhere(self, ask: Callable[[Rpc], Awaitable[Any]]) -> Any:
        """Ask all at once: one that takes it is enough, and a refusal says more than no answer."""
        telling = [self._begin(self._tell(place, ask)) for place in range(len(self._nodes))]
        failures: list[ChainError] = []
        for told in asyncio.as_completed(telling):
            answer = await told
            if not isinstance(answer, ChainError):
                return answer  # the others are told all the same
            failures.append(answer)
        refusal = next((failure for failure in failures if isinstance(failure, NodeRefused)), None)
        if refusal is None:
            raise failures[0]
        refusal.is_doubtful = any(not isinstance(failure, NodeRefused) for failure in failures)
        raise refusal

    async def _tell(self, place: int, ask: Callable[[Rpc], Awaitable[Any]]) -> Any:
        try:
            return await ask(await self.checked(place))
        except ChainError as error:
            return error

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)
        return task


async def _height(node: Rpc) -> int:
    """Return how far a node is, -1 if it does not say."""
    try:
        return as_number(await node.call(HEIGHT))
    except ChainError:
        return -1

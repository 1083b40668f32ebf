"""Reads the logs of a deployment's leases: once, in the order of time, or for as long as they go on.

While it follows, containers may be started anew, agents may be away, and leases may move to other providers.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from cli.agents import AgentBook, Agents
from cli.core.log_lines import Entry, Place, Told, places
from cli.watch import Views
from moorage.agent_client import AgentError
from moorage.chain.rpc import ChainError, NodeUnavailable
from moorage.merging import merged
from moorage.streams import Ended, LogLine, LogQuery
from moorage.types import DeploymentId, DeploymentState, OrderId

LOOK_SECONDS = 2.0
"""So often it is seen which leases there are."""
LONGEST_PAUSE_DOUBLINGS = 5
"""Of the seconds after which an agent that is away is asked again."""


class LogReader:
    """What one run of the command reads."""

    def __init__(
        self,
        agents: Agents,
        book: AgentBook,
        query: LogQuery,
        show: Callable[[Entry], None],
        tell: Callable[[str], None],
    ) -> None:
        """
        Args:
            show: takes each line.
            tell: takes what is to be said beside.
        """
        self._agents = agents
        self._book = book
        self._query = query
        self._show = show
        self._tell = tell
        self._told: dict[OrderId, Told] = defaultdict(Told)
        self._away: Counter[Place] = Counter()
        """How often in a row an agent did not answer, or broke off."""
        self._has_ended = False
        self._problem: str | None = None
        self.failures: list[str] = []
        """Why something could not be read, the last time it was tried once."""

    async def read(self, from_places: Sequence[Place]) -> None:
        """Show what is there, in the order in which it was written."""
        self.failures = []
        streams = [self._there(place) for place in from_places]
        async with aclosing(merged(streams, lambda entry: entry.line.time)) as entries:
            async for entry in entries:
                self._take(entry)

    async def follow(self, deployment: DeploymentId, views: Views) -> None:
        """Show what comes, until the deployment has ended.

        Raises:
            OSError: the output is closed.
        """
        followers: dict[Place, asyncio.Task[None]] = {}
        try:
            while True:
                now = await self._places(deployment, views)
                if now is not None:
                    for place in followers.keys() - set(now):
                        self._tell(f"{place.datacenter}: the lease with provider {place.provider} is over")
                        followers.pop(place).cancel()
                    for place in now:
                        if place not in followers:
                            followers[place] = asyncio.create_task(self._follow(place))
                    if not now and self._has_ended:
                        return
                await _any_failure(list(followers.values()))
        finally:
            for task in followers.values():
                task.cancel()

    async def _places(self, deployment: DeploymentId, views: Views) -> Sequence[Place] | None:
        """Return where workloads run now; None: the node does not tell."""
        try:
            view = await views.view(deployment)
        except NodeUnavailable as error:
            if self._problem is None:
                self._tell(f"{error}; going on with what is known")
            self._problem = str(error)
            return None
        self._problem = None
        if view is None:
            return None
        self._has_ended = view.state is not DeploymentState.ACTIVE or view.live_groups == 0
        return places(view)

    async def _there(self, place: Place) -> AsyncGenerator[Entry, None]:
        """Yield what has been written at a place; why it cannot be read is remembered."""
        try:
            async with aclosing(self._lines(place, replace(self._query, is_following=False))) as lines:
                async for line in lines:
                    yield Entry(place, line)
        except (AgentError, ChainError) as error:
            self.failures.append(f"{place.datacenter}: no logs from provider {place.provider}: {error}")

    async def _follow(self, place: Place) -> None:
        """Show what comes from one place for ever."""
        while True:
            query = replace(self._told[place.lease].resumed(self._query), is_following=True)
            try:
                async with aclosing(self._lines(place, query)) as lines:
                    async for line in lines:
                        self._take(Entry(place, line))
            except (AgentError, ChainError) as error:
                self._book.forget(place.provider)
                self._away[place] += 1
                if self._away[place] == 1:
                    self._tell(f"{place.datacenter}: provider {place.provider} is away, trying again: {error}")
            await asyncio.sleep(2.0 ** min(self._away[place], LONGEST_PAUSE_DOUBLINGS))

    def _hear(self, place: Place) -> None:
        if self._away.pop(place, 0):
            self._tell(f"{place.datacenter}: provider {place.provider} is there again")

    async def _lines(self, place: Place, query: LogQuery) -> AsyncGenerator[LogLine, None]:
        """Yield the lines of one request.

        Raises:
            AgentError, ChainError: it could not be made, or did not come to its end.
        """
        agent = await self._book.find(place.provider)
        async with aclosing(self._agents.logs(agent, place.lease, query)) as records:
            async for record in records:
                if not isinstance(record, Ended):
                    self._hear(place)
                match record:
                    case LogLine() if self._told[place.lease].is_new(record):
                        yield record
                    case Ended(reason=str(reason)) if not (record.is_retryable and query.is_following):
                        raise LogEnded(reason, is_retryable=record.is_retryable)
                    case _:
                        pass

    def _take(self, entry: Entry) -> None:
        self._told[entry.place.lease].add(entry.line)
        self._show(entry)


class LogEnded(AgentError):
    """The agent has said why there is no more."""

    def __init__(self, reason: str, *, is_retryable: bool) -> None:
        super().__init__(reason)
        self.is_retryable = is_retryable


async def _any_failure(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the next look, or for a task that fails with what nobody expected."""
    if not tasks:
        await asyncio.sleep(LOOK_SECONDS)
        return
    done, _ = await asyncio.wait(tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()

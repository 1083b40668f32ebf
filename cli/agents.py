"""The providers' agents as the commands see them: who they are by the registry, and one question at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cli.core.agents import (
    Answer,
    AskStatus,
    Connection,
    Delivered,
    DeliverManifest,
    Failed,
    ManifestNews,
    Report,
    Step,
    Workload,
)
from moorage.agent_api import ConnectionStatus, LeaseStatus
from moorage.agent_client import Agent, AgentError
from moorage.agent_exec import AgentExec
from moorage.agent_lookup import read_agent
from moorage.chain.contracts import Registry
from moorage.chain.index import read_block
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError, Rpc
from moorage.crash import crash_point
from moorage.streams import ExecRequest, LogQuery, Record
from moorage.types import OrderId, ProviderNumber

REREAD_SECONDS = 240.0
"""For how long an agent is known as it was read: a root certificate that is removed has no effect after 5 minutes."""


class Agents(Protocol):
    """What a tenant can ask agents; moorage.agent_client.AgentClient is the real one."""

    async def deliver_manifest(self, agent: Agent, lease: OrderId, manifest: bytes) -> None: ...

    async def status(self, agent: Agent, lease: OrderId) -> LeaseStatus: ...

    def logs(self, agent: Agent, lease: OrderId, query: LogQuery) -> AsyncGenerator[Record, None]: ...

    def exec(self, agent: Agent, lease: OrderId, request: ExecRequest) -> AbstractAsyncContextManager[AgentExec]: ...


class AgentBook:
    """Who the agents are by the registry, each read anew now and then."""

    def __init__(self, rpc: Rpc, market: Market, clock: Callable[[], float]) -> None:
        """
        Args:
            clock: one that never goes back, in seconds.
        """
        self._rpc = rpc
        self._registry = Registry(rpc, market)
        self._clock = clock
        self._found: dict[ProviderNumber, tuple[Agent, float]] = {}
        """With the time at which it was read."""

    async def find(self, provider: ProviderNumber) -> Agent:
        """Return a provider's agent.

        Raises:
            ChainError: the registry does not tell, or has no certificate that is final.
        """
        agent, read_seconds = self._found.get(provider, (None, 0.0))
        if agent is not None and self._clock() - read_seconds < REREAD_SECONDS:
            return agent
        return await self._read(provider)

    def forget(self, provider: ProviderNumber) -> None:
        """Read an agent anew the next time: it may have moved or changed its certificate."""
        self._found.pop(provider, None)

    async def _read(self, provider: ProviderNumber) -> Agent:
        read_seconds = self._clock()
        final, newest = await read_block(self._rpc, "finalized"), await read_block(self._rpc)
        agent = await read_agent(self._registry, provider, final, newest)
        if agent is None or not agent.roots_der:
            raise ChainError(f"it has no certificate that is final on chain (final is block {final.number})")
        self._found[provider] = agent, read_seconds
        return agent


class Interpreter:
    """Finds agents in the registry and turns what they answer into values."""

    def __init__(
        self, rpc: Rpc, market: Market, agents: Agents, manifest: bytes | None, clock: Callable[[], float]
    ) -> None:
        """
        Args:
            manifest: what is delivered; None if this machine does not have it.
            clock: one that never goes back, in seconds.
        """
        self._book = AgentBook(rpc, market, clock)
        self._agents = agents
        self._manifest = manifest

    async def ask(self, step: Step) -> Answer:
        """Ask an agent; every failure is a value."""
        try:
            agent = await self._book.find(step.provider)
            match step:
                case AskStatus():
                    return _report(await self._agents.status(agent, step.lease))
                case DeliverManifest():
                    assert self._manifest is not None
                    crash_point("before-delivering")
                    await self._agents.deliver_manifest(agent, step.lease, self._manifest)
                    crash_point("after-delivering")
                    return Delivered()
        except AgentError as error:
            self._book.forget(step.provider)
            return Failed(str(error), error.is_retryable)
        except ChainError as error:
            return Failed(str(error), True)


def _report(status: LeaseStatus) -> Report:
    workloads = (
        Workload(each.name, each.state, each.reason, each.addresses, tuple(map(_connection, each.connections)))
        for each in status.workloads
    )
    told = status.manifest
    news = ManifestNews(told.state, told.source, told.reason) if told is not None else None
    return Report(status.version, tuple(workloads), news)


def _connection(told: ConnectionStatus) -> Connection:
    return Connection(told.name, told.direction, told.workload, told.datacenter, told.state, told.reason)

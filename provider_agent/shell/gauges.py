"""Measures what a provider has on the market and on the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from moorage.chain.contracts import Exchange, Registry, provider_account
from moorage.snapshot import Snapshot
from moorage.types import ComputeUnit, ProviderNumber
from provider_agent.core.summary import summarise
from provider_agent.core.tunnels import TunnelState
from provider_agent.metrics import ProviderMetrics
from provider_agent.shell.workload_loop import WorkloadLoop


class Tunnels(Protocol):
    """What is told of tunnels, see shell.overlay."""

    @property
    def keys_expire(self) -> datetime | None: ...

    def all_states(self) -> Iterable[TunnelState]: ...


class Gauges:
    """Feeds the metrics of one agent with what it has on the market and on the engine."""

    def __init__(
        self,
        metrics: ProviderMetrics,
        exchange: Exchange,
        registry: Registry,
        provider: ProviderNumber,
        capacity: ComputeUnit,
        newest: Callable[[], Snapshot | None],
        workloads: WorkloadLoop,
        tunnels: Tunnels,
    ) -> None:
        """
        Args:
            newest: gives the newest snapshot, None until there is one.
            workloads: looks after the engine.
            tunnels: how they are.
        """
        self._metrics = metrics
        self._exchange = exchange
        self._registry = registry
        self._provider = provider
        self._capacity = capacity
        self._newest = newest
        self._workloads = workloads
        self._tunnels = tunnels

    async def measure(self) -> None:
        """Measure once.

        Raises:
            ChainError: the node does not answer.
        """
        self._metrics.workloads(self._workloads.states())
        self._metrics.engine(self._workloads.engine_fault is None)
        self._metrics.tunnels(each.fault is None for each in self._tunnels.all_states())
        if self._tunnels.keys_expire is not None:
            self._metrics.certificate("tunnels", self._tunnels.keys_expire)
        snapshot = self._newest()
        if snapshot is None:
            return
        provider = await self._registry.provider(snapshot.block, self._provider)
        (account,) = await self._exchange.accounts(snapshot.block, [provider_account(self._provider)])
        if provider is not None:
            self._metrics.market(summarise(snapshot, provider, account, self._capacity))

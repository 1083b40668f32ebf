"""Keeps the engine in step with the leases, beside the loop that talks to the chain: a pull delays nothing there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog

from moorage import manifest
from moorage.agent_api import LeaseStatus, WorkloadStatus
from moorage.chain.contracts import Exchange
from moorage.chain.index import read_block
from moorage.chain.rpc import ChainError, Rpc
from moorage.crash import crash_point
from moorage.snapshot import Snapshot
from moorage.types import Group, OrderId, OrderState, Version
from provider_agent.core.workload_report import WorkloadState
from provider_agent.core.workloads import DesiredLease, Identity, desired_lease
from provider_agent.shell.engine import EngineUnavailable
from provider_agent.shell.manifest_service import ManifestStore
from provider_agent.shell.workload_runner import WorkloadRunner

ENDED = (OrderState.LEASE_STALE, OrderState.LEASE_CLOSING, OrderState.LEASE_CLOSED)
PASS_SECONDS = 2.0

log = structlog.get_logger(__name__)


class WorkloadLoop:
    """Runs the workloads of the active leases that have a manifest, and removes those of leases that are over."""

    def __init__(
        self,
        rpc: Rpc,
        exchange: Exchange,
        identity: Identity,
        runner: WorkloadRunner,
        store: ManifestStore,
        versions: Callable[[OrderId], Collection[Version]],
        newest: Callable[[], Snapshot | None],
    ) -> None:
        """
        Args:
            versions: gives what the deployment of a lease has had as versions; nothing else is ever run.
            newest: gives the newest snapshot, None until there is one.
        """
        self._rpc = rpc
        self._exchange = exchange
        self._identity = identity
        self._runner = runner
        self._store = store
        self._versions = versions
        self._newest = newest
        self._decoded: dict[OrderId, DesiredLease] = {}
        self._complaints: dict[OrderId, str] = {}
        self._wake = asyncio.Event()
        self._desired: dict[OrderId, DesiredLease] = {}
        self.reset: frozenset[OrderId] = frozenset()
        """Leases that a final block proves to be over and of which nothing is left on the engine."""
        self.engine_fault: str | None = None
        """Why the engine did not answer in the last pass."""

    def wake(self) -> None:
        """Ask for a pass now: a manifest has come, or a block."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Make passes until `stop` is set."""
        while not stop.is_set():
            snapshot = self._newest()
            if snapshot is not None:
                await self._try_pass(snapshot)
            try:
                await asyncio.wait_for(self._wake.wait(), PASS_SECONDS)
            except TimeoutError:
                continue
            self._wake.clear()

    async def status(self, lease: OrderId) -> LeaseStatus:
        """Return how a lease's workloads were at the end of the last pass."""
        desired = self._desired.get(lease)
        if desired is None:
            return LeaseStatus(lease, None, ())
        workloads = (
            WorkloadStatus(report.name, report.state, report.reason, report.addresses)
            for report in self._runner.reports(desired)
        )
        return LeaseStatus(lease, desired.version, tuple(workloads))

    def states(self) -> list[WorkloadState]:
        """Return the states of all workloads at the end of the last pass."""
        return [report.state for lease in self._desired.values() for report in self._runner.reports(lease)]

    async def _try_pass(self, snapshot: Snapshot) -> None:
        try:
            await self._pass(snapshot)
            self.engine_fault = None
        except EngineUnavailable as error:
            # a fault of ours: the leases stay confirmed, and nothing is concluded about what runs
            self.engine_fault = str(error)
            log.warning("engine unavailable", reason=str(error))
        except (ChainError, OSError) as error:
            log.warning("workloads not looked after in this pass", reason=str(error))
        except Exception:  # whatever it is, it must not end the loop beside this one, which confirms leases
            log.exception("pass failed")

    async def _pass(self, snapshot: Snapshot) -> None:
        self._desired = await self._wanted(snapshot)
        known = self._runner.leases() | await self._store.leases()
        ended = await self._ended(known - self._desired.keys() | self._closing(snapshot))
        if self._desired:
            crash_point("before-workloads")
        await self._runner.reconcile(list(self._desired.values()), ended)
        if self._desired:
            crash_point("after-workloads")
        self.reset = frozenset(lease for lease in ended if self._runner.is_reset(lease))
        for lease in self.reset & await self._store.leases():
            await self._store.remove(lease)

    async def _wanted(self, snapshot: Snapshot) -> dict[OrderId, DesiredLease]:
        wanted: dict[OrderId, DesiredLease] = {}
        complaints: dict[OrderId, str] = {}
        for lease in snapshot.leases.values():
            if lease.provider != self._identity.provider or lease.state is not OrderState.LEASE_ACTIVE:
                continue
            body = await self._store.get(lease.id)
            try:
                if body is not None:
                    wanted[lease.id] = self._desire(lease.id, snapshot.leased_orders[lease.id].group, body)
            except manifest.ManifestError as error:
                complaints[lease.id] = str(error)
        for lease_id, reason in complaints.items() - self._complaints.items():
            log.error("stored manifest is unusable, waiting for the tenant", lease=lease_id.hex(), reason=reason)
        self._decoded, self._complaints = wanted, complaints
        return {lease_id: _paused_if_unpaid(snapshot, desired) for lease_id, desired in wanted.items()}

    def _desire(self, lease: OrderId, group: Group, body: bytes) -> DesiredLease:
        """Return what to run; a manifest of an earlier version goes on until the tenant sends the new one.

        Raises:
            ManifestError: the disk gave something that the tenant never ordered.
        """
        version = manifest.version_of(body)
        if version not in self._versions(lease):
            raise manifest.ManifestError(f"its version {version.hex()} was never on chain")
        known = self._decoded.get(lease)
        if known is not None and known.version == version:
            return known
        decoded = manifest.decode(body)
        manifest.check_against_lease(decoded, group)
        return desired_lease(self._identity, lease, decoded, group.name, version)

    def _closing(self, snapshot: Snapshot) -> set[OrderId]:
        return {
            lease.id
            for lease in snapshot.leases.values()
            if lease.provider == self._identity.provider and lease.state is OrderState.LEASE_CLOSING
        }

    async def _ended(self, candidates: Iterable[OrderId]) -> list[OrderId]:
        """Return those of the leases that are over at a final block: only then is anything taken down."""
        asked = sorted(candidates)
        if not asked:
            return []
        final = await read_block(self._rpc, "finalized")
        leases = await self._exchange.leases(final, asked)
        return [
            lease.id
            for lease in leases
            if lease is not None and lease.state in ENDED and lease.provider == self._identity.provider
        ]


def _paused_if_unpaid(snapshot: Snapshot, desired: DesiredLease) -> DesiredLease:
    """Return a lease without its containers while its money is used up; its volumes stay."""
    period = snapshot.parameters.reconfirmation_period_blocks
    if not snapshot.leases[desired.lease].is_exhausted(snapshot.block.number, period):
        return desired
    return DesiredLease(desired.lease, desired.version, (), ())

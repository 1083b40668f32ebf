"""Keeps the engine in step with the leases, beside the loop that talks to the chain: a pull delays nothing there.

A pass costs what has changed: leases that the chain touched, manifests that came, containers that the engine tells of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Protocol

import structlog

from moorage.agent_api import LeaseStatus
from moorage.chain.contracts import Exchange
from moorage.chain.rpc import ChainError, Rpc
from moorage.crash import crash_point
from moorage.snapshot import Snapshot
from moorage.types import Lease, OrderId, OrderState, Version
from provider_agent.core.attention import Attention, Look
from provider_agent.core.distribution import Distribution
from provider_agent.core.endings import Endings
from provider_agent.core.firewall import EgressPolicy
from provider_agent.core.gateway import TUNNELS
from provider_agent.core.lease_names import Identity
from provider_agent.core.siblings import clients_of
from provider_agent.core.tunnels import Edge, Tunnel, TunnelState
from provider_agent.core.workload_report import WorkloadState
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import EngineUnavailable
from provider_agent.shell.lease_status import lease_status
from provider_agent.shell.manifest_shelf import ManifestShelf
from provider_agent.shell.manifest_store import ManifestStore
from provider_agent.shell.prover import Prover
from provider_agent.shell.workload_runner import WorkloadRunner

PASS_SECONDS = 2.0
RETRY_SECONDS = 10
"""What could not be worked out for one lease is tried again after so long."""

log = structlog.get_logger(__name__)


class Tunnels(Protocol):
    """What looks after the tunnels of leases, see shell.overlay."""

    def want(self, lease: OrderId, edges: tuple[Edge, ...]) -> None: ...

    def forget(self, lease: OrderId) -> None: ...

    def states(self, lease: OrderId) -> tuple[TunnelState, ...]: ...

    def siblings(self, lease: OrderId, edges: tuple[Edge, ...]) -> tuple[Tunnel, ...]: ...


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
        endings: Endings | None = None,
        tell: Callable[[], None] = lambda: None,
        overlay: Tunnels | None = None,
        distribution: Callable[[OrderId], Distribution | None] = lambda _: None,
        egress: EgressPolicy | None = None,
    ) -> None:
        """
        Args:
            versions: gives what the deployment of a lease has had as versions; nothing else is ever run.
            endings: collects the proofs that leases are over.
            tell: is called when there is more in `reset`.
            overlay: looks after the tunnels of what runs; None: there are none.
            distribution: tells how far a lease's manifest has come.
            egress: whether workloads are let out; None: they are not.
        """
        self._tell = tell
        self._overlay = overlay
        self._distribution = distribution
        self._provider = identity.provider
        self._runner = runner
        self._shelf = ManifestShelf(identity, store, versions, egress or EgressPolicy())
        self._prover = Prover(rpc, exchange, identity.provider)
        self._endings = endings or Endings()
        self._attention = Attention()
        self._snapshot: Snapshot | None = None
        self._proved_block = -1
        self._wake = asyncio.Event()
        self._desired: dict[OrderId, DesiredLease] = {}
        self.reset: frozenset[OrderId] = frozenset()
        """Closing leases that are proved to be so and of which nothing is left on the engine."""
        self.has_looked = False
        """Whether everything has been looked at: before, `wanted` says nothing about what shall not run."""
        self.engine_fault: str | None = None
        """Why the engine did not answer the last time."""

    @property
    def held(self) -> frozenset[OrderId]:
        """Leases of which there is something on the engine or on the disk."""
        return self._runner.leases() | self._shelf.leases

    @property
    def wanted(self) -> tuple[DesiredLease, ...]:
        """What shall run."""
        return tuple(self._desired.values())

    def note(self, snapshot: Snapshot) -> None:
        """Take in a new snapshot; every one has to come here, as each tells only what it has touched."""
        if snapshot.touched is None:
            self._attention.everything()
        else:
            self._attention.leases(snapshot.touched.orders)
        self._snapshot = snapshot
        self._wake.set()

    def delivered(self, lease: OrderId) -> None:
        """Note that a manifest has come."""
        self._shelf.delivered(lease)
        self._attention.leases([lease])
        self._wake.set()

    def look_at(self, lease: OrderId) -> None:
        """Ask for a look at what a lease's gateway has to do."""
        self._attention.leases([lease])
        self._wake.set()

    def tunnel_port(self, lease: OrderId) -> int | None:
        """Return the port of the host at which a lease's gateway takes tunnels."""
        desired = self._desired.get(lease)
        return self._runner.port(desired, TUNNELS) if desired is not None else None

    def passage(self, lease: OrderId, client: OrderId) -> tuple[str, int] | None:
        """Return where a lease's gateway takes tunnels of another lease of this provider."""
        desired = self._desired.get(lease)
        return self._runner.passage(desired, client) if desired is not None else None

    def wake(self) -> None:
        """Ask for a pass now."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Make passes until `stop` is set."""
        listening = asyncio.create_task(self._listen())
        try:
            while not stop.is_set():
                self._wake.clear()
                await self.try_pass()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), PASS_SECONDS)
        finally:
            listening.cancel()

    async def status(self, lease: OrderId) -> LeaseStatus:
        """Return how a lease's workloads were when they were last seen."""
        desired, snapshot = self._desired.get(lease), self._snapshot
        order = snapshot.leased_orders.get(lease) if snapshot is not None else None
        distribution = self._distribution(lease)
        if desired is None or order is None:
            return lease_status(lease, None, (), (), distribution)
        tunnels = self._overlay.states(lease) if self._overlay is not None else ()
        views = await self._runner.views(desired, order.group.name, tunnels)
        reports = self._runner.reports(desired, await self._runner.connections(desired))
        return lease_status(lease, desired.version, reports, views, distribution)

    def states(self) -> list[WorkloadState]:
        """Return the states of all workloads when they were last seen."""
        return [report.state for lease in self._desired.values() for report in self._runner.reports(lease)]

    async def try_pass(self) -> None:
        """Look at what has changed and do what is due. A pass that fails is made good for by the next one."""
        if self._snapshot is None:
            return
        look = self._attention.take(self._snapshot.block.number, self._runner.now())
        try:
            await self._pass(self._snapshot, look)
            return
        except EngineUnavailable as error:
            # a fault of ours: the leases stay confirmed, and nothing is concluded about what runs
            if str(error) != self.engine_fault:
                log.warning("engine unavailable", reason=str(error))
            self._tell_engine(str(error))
            self._attention.everything()
        except OSError as error:
            log.warning("workloads not looked after in this pass", reason=str(error))
        except Exception:  # whatever it is, it must not end the loop beside this one, which confirms leases
            log.exception("pass failed")
        self._attention.put_back(look)

    def _tell_engine(self, fault: str | None) -> None:
        if fault is None and self.engine_fault is not None:
            log.info("engine answers again")
        self.engine_fault = fault

    async def _listen(self) -> None:
        """Take the engine's hints, and open its stream anew when it breaks off."""
        known = ""
        while True:
            try:
                async with aclosing(self._runner.changes()) as changes:
                    async for label in changes:
                        known = ""
                        self._hear(label)
            except EngineUnavailable as error:
                if str(error) != known:
                    log.info("changes of the engine are not told", reason=str(error))
                known = str(error)
            except Exception:  # hints are missed, and looks at everything make good for them
                log.exception("listening to the engine failed")
            self._attention.hears(False)
            await asyncio.sleep(PASS_SECONDS)

    def _hear(self, label: str | None) -> None:
        if label is None:
            self._attention.hears(True)
        else:
            with suppress(ValueError):  # somebody may have put another there by hand; what serves all leases has none
                if label:
                    self._attention.engine(OrderId(bytes.fromhex(label)))
        self._wake.set()

    async def _pass(self, snapshot: Snapshot, look: Look) -> None:
        if look.is_everything or look.on_engine:
            await self._runner.look(look.on_engine, is_everything=look.is_everything)
        if look.is_everything:
            await self._shelf.look()
        known = self._all(snapshot) if look.is_everything else look.leases
        leases = [lease for lease in known if await self._is_worked_out(snapshot, lease)]
        await self._prove(snapshot)
        desired = [self._desired[lease] for lease in leases if lease in self._desired]
        if desired:
            crash_point("before-workloads")
        changed = await self._runner.carry_out(desired, self._endings.over, self._endings.resting)
        if desired:
            crash_point("after-workloads")
        if look.is_everything or look.on_engine or changed:
            self._tell_engine(None)
        self._attention.leases(changed)  # what a step has brought about may need another
        for lease in changed & self._desired.keys():
            for guest in clients_of(self._desired[lease]):  # on networks of the lease, which come and go with it
                self._attention.engine(guest)
        for lease in {each.lease for each in desired} | changed:
            wanted = self._desired.get(lease)
            self._attention.at_second(lease, self._runner.next_attempt(wanted) if wanted is not None else None)
        await self._clear_away(snapshot)
        self.has_looked = self.has_looked or look.is_everything

    def _all(self, snapshot: Snapshot) -> set[OrderId]:
        ours = (lease.id for lease in snapshot.leases.values() if lease.provider == self._provider)
        return {*ours, *self._runner.leases(), *self._shelf.leases, *self._desired, *self._endings.open}

    async def _is_worked_out(self, snapshot: Snapshot, lease: OrderId) -> bool:
        try:
            await self._work_out(snapshot, lease)
        except Exception:  # an odd lease holds no other one up; what it has stays as it is
            log.exception("lease set aside", lease=lease.hex())
            self._attention.at_second(lease, self._runner.now() + RETRY_SECONDS)
            return False
        return True

    async def _work_out(self, snapshot: Snapshot, lease_id: OrderId) -> None:
        """Decide what a lease needs: to run, to be asked about at final blocks, or nothing."""
        self._attention.at_second(lease_id, None)
        lease = snapshot.leases.get(lease_id)
        is_ours = lease is not None and lease.provider == self._provider
        if lease is None or not is_ours or lease.state is not OrderState.LEASE_ACTIVE:
            self._drop(lease_id)
            is_closing = is_ours and lease is not None and lease.state is OrderState.LEASE_CLOSING
            if is_closing or self._runner.has(lease_id) or lease_id in self._shelf.leases:
                self._endings.suspect(lease_id)
            else:
                self._endings.acquit([lease_id])
            return
        self._endings.acquit([lease_id])
        is_funded = snapshot.block.number < lease.funded_block
        self._attention.at_block(lease_id, lease.funded_block if is_funded else None)
        desired = await self._shelf.desired(lease_id, snapshot.leased_orders[lease_id].group)
        if desired is None:
            self._drop(lease_id)
            return
        desired = _paused_if_unpaid(snapshot, lease, desired)
        if self._overlay is not None:
            desired = replace(desired, siblings=self._overlay.siblings(lease_id, desired.edges))
            self._overlay.want(lease_id, desired.edges)
        self._desired[lease_id] = desired

    def _drop(self, lease: OrderId) -> None:
        self._attention.at_block(lease, None)
        self._desired.pop(lease, None)
        self._runner.forget(lease)
        if self._overlay is not None:
            self._overlay.forget(lease)

    async def _prove(self, snapshot: Snapshot) -> None:
        """Ask once in a block what became of the leases that seem to be over."""
        leases = self._endings.open
        if not leases or snapshot.block.number == self._proved_block:
            return
        try:
            proofs = await self._prover.prove(leases)
        except (ChainError, OSError) as error:
            log.warning("nothing learned about leases that seem to be over", reason=str(error))
            return
        except Exception:  # the other leases are looked after all the same
            log.exception("proving failed")
            return
        self._proved_block = snapshot.block.number
        for proof in proofs:
            self._endings.take(proof)

    async def _clear_away(self, snapshot: Snapshot) -> None:
        """Forget the manifests of leases that are over and gone, and those leases when the chain knows it too."""
        gone = frozenset(each.lease for each in self._endings.over if self._runner.is_reset(each.lease))
        for lease in gone - self.reset:  # once
            await self._runner.forget_logs(lease)
        for lease in gone & self._shelf.leases:
            crash_point("before-forgetting-manifest")
            await self._runner.keep_images(lease, ())  # first: without its manifest nothing would lead here again
            await self._shelf.remove(lease)
            crash_point("after-forgetting-manifest")
        self._shelf.forget(gone)
        before, self.reset = self.reset, frozenset(lease for lease in gone if _is_closing(snapshot.leases.get(lease)))
        if self.reset - before:
            self._tell()
        self._endings.acquit(gone - self.reset)


def _is_closing(lease: Lease | None) -> bool:
    return lease is not None and lease.state is OrderState.LEASE_CLOSING


def _paused_if_unpaid(snapshot: Snapshot, lease: Lease, desired: DesiredLease) -> DesiredLease:
    """Return a lease without its containers and tunnels while its money is used up; its volumes stay."""
    period = snapshot.parameters.reconfirmation_period_blocks
    if not lease.is_exhausted(snapshot.block.number, period):
        return desired
    return replace(desired, workloads=(), networks=(), gateway=None, edges=())

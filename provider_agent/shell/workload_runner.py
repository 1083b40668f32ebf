"""Brings the engine to what the leases need, and tells how far that has come.

Leases do not wait for each other: a tenant whose registry answers a byte a minute delays nobody but itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from itertools import groupby

import structlog

from moorage.types import OrderId
from provider_agent.core.connection_view import ConnectionView, connection_views
from provider_agent.core.containers import Observed, ObservedContainer
from provider_agent.core.edge import Route, routes_of
from provider_agent.core.endings import Over
from provider_agent.core.gateway_state import ConnectionReport
from provider_agent.core.siblings import passage_address, servers_of, with_siblings
from provider_agent.core.tunnels import TunnelState
from provider_agent.core.updates import with_updates
from provider_agent.core.workload_health import is_asked_by_gateway, with_health
from provider_agent.core.workload_plan import by_lease, next_attempt, plan
from provider_agent.core.workload_report import WorkloadReport, reports
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import Engine, EngineUnavailable
from provider_agent.shell.gateway_care import GatewayCare
from provider_agent.shell.gateways import Gateways
from provider_agent.shell.image_care import ImageCare
from provider_agent.shell.images import Images
from provider_agent.shell.port_book import PortBook
from provider_agent.shell.refusals import Refusals
from provider_agent.shell.workload_steps import WorkloadSteps

PASS_SECONDS = 10.0
RETUNE_SECONDS = 2
LOOKS_AT_A_TIME = 16
"""For more leases than this the engine is asked for everything at once."""

_LEASE = re.compile("[0-9a-f]{64}")
"""What a lease is called in labels; somebody may have put another there by hand."""

log = structlog.get_logger(__name__)


class WorkloadRunner:
    """Sees what is there, has the steps taken that are due, and remembers what it has seen."""

    def __init__(
        self,
        engine: Engine,
        gateways: Gateways,
        clock: Callable[[], float],
        pass_seconds: float = PASS_SECONDS,
        images: Images | None = None,
    ) -> None:
        """
        Args:
            clock: tells Unix time.
            pass_seconds: how long a pass waits for its steps; what takes longer goes on beside the next ones.
            images: gets them where they are not on the engine; None: what is not there cannot be run.
        """
        self._images = ImageCare(images)
        self._engine = engine
        self._gateways = gateways
        self._care = GatewayCare(engine, gateways)
        self._ports = PortBook(gateways.site, clock)
        self._clock = clock
        self._refusals = Refusals()
        self._steps = WorkloadSteps(engine, self._care, self._images, self._ports, self._refusals, self._now)
        self._seen: dict[str, Observed] = {}
        self._has_looked = False
        self._pass_seconds = pass_seconds
        self._busy: dict[OrderId, asyncio.Task[None]] = {}
        self._ending: set[OrderId] = set()
        """Those of the busy ones of which something is stopped or removed."""

    def changes(self) -> AsyncGenerator[str | None, None]:
        """Tell what changes on the engine, see Engine.changes."""
        return self._engine.changes()

    async def look(self, told: Collection[OrderId] = (), *, is_everything: bool = True) -> None:
        """See what leases have on the engine.

        Args:
            told: leases of which something was told as changed.
            is_everything: whether the others are looked at as well.

        Raises:
            EngineUnavailable: the engine does not answer.
        """
        if is_everything or not self._has_looked or len(told) > LOOKS_AT_A_TIME:
            self._seen = by_lease(await self._engine.observe(told=told))
            self._has_looked = True
            self._ports.learn({lease: self._seen[lease.hex()] for lease in self.leases()}, self._busy.keys())
            return
        for lease in told:
            seen = await self._engine.observe(lease)
            self._seen.pop(lease.hex(), None)
            self._seen.update(by_lease(seen))

    async def carry_out(
        self, desired: Sequence[DesiredLease], over: Collection[Over] = (), resting: Collection[OrderId] = ()
    ) -> frozenset[OrderId]:
        """Take every step that is due, by what was last seen. Expected failures end up in the reports.

        Args:
            desired: leases that shall run; what is in none of the three is left as it is.
            over: leases that are proved to be over.
            resting: leases whose containers are to be stopped.

        Returns:
            The leases that steps were taken for, now or since the last time; they may need more.

        Raises:
            EngineUnavailable: the engine does not answer; some steps may have been taken.
        """
        gone = [each.lease for each in over]
        await self._abandon([*gone, *resting])
        finished = self._finished()
        waiting = [lease for lease in desired if lease.lease not in self._busy]
        idle = [self._ports.give(await self._looked_at(lease)) for lease in waiting]
        for each in idle:
            self._refusals.keep(each.lease, {container.name for container in each.containers})
        leases = [lease for lease in (*gone, *resting, *(each.lease for each in idle)) if lease not in self._busy]
        failures = self._refusals.of_all(leases)
        for each in idle:
            await self._images.keep(each.lease, [image.reference for image in each.images])
        missing = self._images.missing(idle)
        intents = plan(idle, self._merged(leases), over, self._now(), failures, resting, self._steps.stopped, missing)
        steps = {lease: tuple(each) for lease, each in groupby(intents, key=lambda intent: intent.lease)}
        begun = [lease for lease in leases if lease in steps]
        wanted = {lease.lease: lease for lease in idle}
        begun += [lease for lease in wanted if lease not in steps and self._is_out_of_tune(wanted[lease])]
        for lease in begun:
            self._images.begin(lease)
            taken = self._steps.take(lease, steps.get(lease, ()), wanted.get(lease), self._observed(lease))
            self._busy[lease] = asyncio.create_task(taken)
        self._ending.update(lease for lease in begun if lease in gone or lease in resting)
        if begun:
            await asyncio.wait([self._busy[lease] for lease in begun], timeout=self._pass_seconds)
            finished |= self._finished()
        if finished:
            await self.look(finished, is_everything=False)
            for each in idle:
                if each.lease in finished:
                    await self._look_at_health(each)
        return frozenset({*begun, *finished})

    def _updated(self, lease: DesiredLease) -> DesiredLease:
        """Return a lease as it is to be now: by what was pulled for it and by what was seen."""
        seen = self._merged([lease.lease, *servers_of(lease)])
        updated = with_updates(self._images.pinned(lease), self._observed(lease.lease), self._now())
        return with_siblings(updated, {each.name for each in seen.networks})

    def _placed(self, lease: DesiredLease) -> DesiredLease:
        """Return a lease as it is to be now, with its gateway's container as it was given the last time."""
        return self._ports.as_given(self._updated(lease))

    async def _looked_at(self, lease: DesiredLease) -> DesiredLease:
        """Return a lease as it is to be now, also by how its gateway finds the replicas just now."""
        updated = self._updated(lease)
        return self._updated(lease) if await self._look_at_health(updated) else updated

    async def _look_at_health(self, lease: DesiredLease) -> bool:
        """Add to what was seen how a lease's gateway finds the replicas; return whether there is something to add."""
        seen = self._seen.get(lease.lease.hex())
        if seen is None or not is_asked_by_gateway(lease):
            return False
        self._seen[lease.lease.hex()] = with_health(seen, lease, await self._gateways.health(lease))
        return True

    def next_attempt(self, lease: DesiredLease) -> int | None:
        """Return the Unix time from which there is something to do for a lease though nothing changes; None: never."""
        placed, observed = self._placed(lease), self._observed(lease.lease)
        attempt = next_attempt(placed, observed, self._refusals.of(lease.lease), self._now())
        retry = self._now() + RETUNE_SECONDS if self._is_out_of_tune(placed) else None
        return min((each for each in (attempt, retry) if each is not None), default=None)

    def reports(
        self, lease: DesiredLease, connections: Collection[ConnectionReport] = ()
    ) -> tuple[WorkloadReport, ...]:
        """Return how the workloads of a lease were when they were last seen."""
        placed, observed = self._placed(lease), self._observed(lease.lease)
        return reports(placed, observed, self._refusals.of(lease.lease), self._now(), connections)

    def routes(self, leases: Iterable[DesiredLease]) -> tuple[Route, ...]:
        """Return where the provider's edge leads to, by what was last seen."""
        site = self._gateways.site
        return tuple(
            route for lease in leases for route in routes_of(lease, self._observed(lease.lease).networks, site)
        )

    async def connections(self, lease: DesiredLease) -> tuple[ConnectionReport, ...]:
        """Return how the connections of a lease's workloads are now."""
        return await self._gateways.connections(self._placed(lease))

    async def views(self, lease: DesiredLease, here: str, tunnels: Iterable[TunnelState]) -> tuple[ConnectionView, ...]:
        """Return how each connection of a lease's workloads is now.

        Args:
            here: the lease's group.
            tunnels: how far agents have come with them.
        """
        placed = self._placed(lease)
        local = await self._gateways.local_connections(placed)
        return connection_views(placed, here, local, tunnels, await self._gateways.tunnels(lease.lease))

    def port(self, lease: DesiredLease, key: str) -> int | None:
        """Return a port of the host that a lease's gateway has, by what it is for (see core.gateway)."""
        return self._ports.of(lease).get(key)

    def passage(self, lease: DesiredLease, client: OrderId) -> tuple[str, int] | None:
        """Return where a lease's gateway takes tunnels of another lease of this provider; None: it does not yet."""
        placed = self._placed(lease)
        return passage_address(placed, client, self._observed(lease.lease).networks)

    def leases(self) -> frozenset[OrderId]:
        """Return the leases of which something was seen."""
        return frozenset(OrderId(bytes.fromhex(name)) for name in self._seen if _LEASE.fullmatch(name))

    def containers(self, lease: OrderId) -> tuple[ObservedContainer, ...]:
        """Return what a lease had on the engine when it was last seen."""
        return self._observed(lease).containers

    def has(self, lease: OrderId) -> bool:
        """Return whether something of a lease was seen, or is under way."""
        return lease in self._busy or lease.hex() in self._seen

    def is_reset(self, lease: OrderId) -> bool:
        """Return whether it was seen that nothing of a lease is left."""
        return self._has_looked and not self.has(lease)

    def forget(self, lease: OrderId) -> None:
        """Drop what the engine refused for a lease that nobody wants any more."""
        self._refusals.forget(lease)

    async def keep_images(self, lease: OrderId, references: Collection[str]) -> None:
        """Forget what the names of a lease's images meant, but for these. Disk errors are OSError."""
        await self._images.keep(lease, references)

    async def forget_logs(self, lease: OrderId) -> None:
        """Remove all that is kept of what a lease's workloads wrote. Disk errors are OSError."""
        await self._engine.forget_logs(lease)

    def now(self) -> int:
        """Return the Unix time."""
        return self._now()

    def _merged(self, leases: Iterable[OrderId]) -> Observed:
        found = [self._seen[name] for name in dict.fromkeys(lease.hex() for lease in leases) if name in self._seen]
        return Observed(
            tuple(container for each in found for container in each.containers),
            tuple(network for each in found for network in each.networks),
            tuple(volume for each in found for volume in each.volumes),
        )

    async def _abandon(self, leases: Collection[OrderId]) -> None:
        """Break off what is still under way for leases that are not wanted any more, but not their removal."""
        tasks = [self._busy.pop(lease) for lease in leases if lease in self._busy and lease not in self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self) -> set[OrderId]:
        """Return the leases whose steps have come to an end since the last time.

        Raises:
            EngineUnavailable: some of them because the engine did not answer.
        """
        done = {lease: task for lease, task in self._busy.items() if task.done()}
        for lease in done:
            del self._busy[lease]
        self._ending -= done.keys()
        ended = {lease: task for lease, task in done.items() if not task.cancelled()}
        errors = {lease: error for lease, task in ended.items() if (error := task.exception()) is not None}
        for lease, error in errors.items():
            if not isinstance(error, EngineUnavailable):  # one odd lease holds no other up
                log.error("steps failed", lease=lease.hex(), exc_info=error)
        unavailable = [error for error in errors.values() if isinstance(error, EngineUnavailable)]
        if unavailable:
            raise unavailable[0]
        return set(done)

    def _observed(self, lease: OrderId) -> Observed:
        return self._seen.get(lease.hex(), Observed())

    def _is_out_of_tune(self, lease: DesiredLease) -> bool:
        return self._care.is_out_of_tune(lease, self._observed(lease.lease))

    async def evict(self, lease: OrderId, name: str, reason: str) -> bool:
        """Remove a running container at once; it starts anew after a pause that grows with each time.

        Steps of the lease that are under way are not waited for: a registry that is slow on purpose protects nobody.

        Args:
            reason: what its tenant is told meanwhile.

        Returns:
            Whether there was such a container when the lease was last seen.

        Raises:
            EngineError
        """
        found = next((each for each in self._observed(lease).containers if each.name == name), None)
        if found is None:
            return False
        self._refusals.note_eviction(lease, name, found.digest, reason, self._now())
        await self._steps.remove_at_once(name)
        return True

    def _now(self) -> int:
        return int(self._clock())

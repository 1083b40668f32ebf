"""Sees to it that each active lease has the newest version of its manifest: what no tenant has brought is pulled."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from contextlib import suppress

import structlog

from moorage import manifest
from moorage.types import OrderId, ProviderNumber, Version
from provider_agent.core.distribution import Distribution
from provider_agent.core.peers import PeerDirectory
from provider_agent.shell.lease_access import LeaseContext
from provider_agent.shell.manifest_intake import ManifestIntake
from provider_agent.shell.manifest_pull import ManifestPeers, Outcome, Pull
from provider_agent.shell.manifest_store import ManifestStore

BUSY_SECONDS = 0.3
"""Until the next round while somebody has it; half as long again by chance, so that not all ask at once."""
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 15.0
FRESH_SECONDS = 120.0
FRESH_PAUSE_SECONDS = 2.0
"""While a version has been missed for less than that, somebody is likely to get it at any moment."""
PULLS_AT_ONCE = 4
ODD_SECONDS = 30.0

log = structlog.get_logger(__name__)


class ManifestKeeper:
    """Runs one task for each lease that lacks its newest manifest."""

    def __init__(
        self, directory: PeerDirectory, store: ManifestStore, intake: ManifestIntake, peers: ManifestPeers
    ) -> None:
        self._directory = directory
        self._store = store
        self._intake = intake
        self._peers = peers
        self._held: dict[OrderId, Version | None] = {}
        self._pulls: dict[OrderId, tuple[Pull, asyncio.Task[None]]] = {}
        self._refused: dict[OrderId, tuple[Version, str]] = {}
        self._places = asyncio.Semaphore(PULLS_AT_ONCE)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Note that leases, versions or manifests may have changed."""
        self._wake.set()

    def state(self, lease: OrderId) -> Distribution:
        """Return how a lease's manifest has come, or why it has not."""
        wanted, taken = self._wanted(lease), self._intake.taken(lease)
        held = taken.version if taken is not None else self._held.get(lease)
        reason = None
        if wanted is None:
            reason = "the lease is not active"
        elif held != wanted:
            pull, _ = self._pulls.get(lease, (None, None))
            version, refusal = self._refused.get(lease, (None, ""))
            reason = refusal if version == wanted else pull.reason if pull is not None else "nobody was asked yet"
        return Distribution(wanted, held, taken.source if taken is not None else None, reason)

    async def run(self, stop: asyncio.Event) -> None:
        """Pull what is missing until `stop` is set."""
        try:
            while not stop.is_set():
                self._wake.clear()
                await self.look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), ODD_SECONDS)
        finally:
            for _, task in self._pulls.values():
                task.cancel()

    async def look(self) -> None:
        """Begin to pull what is missing, and give up what is not needed any more."""
        ours = set(self._directory.ours())
        for lease in self._held.keys() - ours:
            del self._held[lease]
            self._refused.pop(lease, None)
            self._intake.forget([lease])
        for lease in ours:
            try:
                await self._look_at(lease)
            except OSError as error:
                log.warning("manifest not looked for", lease=lease.hex(), reason=str(error))
        for lease in list(self._pulls):
            pull, task = self._pulls[lease]
            if task.done() or self._lacks(lease) != pull.version:
                task.cancel()
                del self._pulls[lease]
        for lease in ours:
            version = self._lacks(lease)
            if version is not None and lease not in self._pulls:
                pull = Pull(lease, version)
                self._pulls[lease] = pull, asyncio.create_task(self._pull(pull))

    async def _look_at(self, lease: OrderId) -> None:
        taken = self._intake.taken(lease)
        if taken is not None:
            self._held[lease] = taken.version
        elif lease not in self._held:
            body = await self._store.get(lease)
            self._held[lease] = manifest.version_of(body) if body is not None else None

    def _wanted(self, lease: OrderId) -> Version | None:
        snapshot, deployment = self._directory.snapshot, self._directory.deployment(lease)
        found = snapshot.deployments.get(deployment) if snapshot is not None and deployment is not None else None
        return found.version if found is not None else None

    def _lacks(self, lease: OrderId) -> Version | None:
        """Return the version that has to be pulled."""
        wanted = self._wanted(lease)
        version, _ = self._refused.get(lease, (None, ""))
        return wanted if wanted is not None and wanted not in (version, self._held.get(lease)) else None

    async def _pull(self, pull: Pull) -> None:
        began, pause_seconds = time.monotonic(), FIRST_PAUSE_SECONDS
        try:
            while True:
                async with self._places:
                    outcome = await self._once(pull)
                if outcome is Outcome.WHOLE:
                    return
                if outcome is Outcome.BUSY:
                    pause_seconds = FIRST_PAUSE_SECONDS
                    await asyncio.sleep(BUSY_SECONDS * random.uniform(0.5, 1.5))
                else:
                    await asyncio.sleep(pause_seconds * random.uniform(0.5, 1.5))
                    is_fresh = time.monotonic() - began < FRESH_SECONDS
                    pause_seconds = min(pause_seconds * 2, FRESH_PAUSE_SECONDS if is_fresh else MAX_PAUSE_SECONDS)
        except Exception:  # a pull has no caller; the next look begins another one
            log.exception("pulling a manifest failed", lease=pull.lease.hex())
            await asyncio.sleep(ODD_SECONDS)
        finally:
            self._wake.set()

    async def _once(self, pull: Pull) -> Outcome:
        others = self._directory.others(pull.lease)
        outcome = Outcome.WHOLE
        if not await self._copy_own(pull, [each.lease for each in others if self._is_ours(each.provider)]):
            strangers = [each for each in others if not self._is_ours(each.provider)]
            outcome = await self._peers.ask_all(pull, strangers)
        if outcome is Outcome.WHOLE:
            await self._keep(pull)
        return outcome

    async def _copy_own(self, pull: Pull, leases: Iterable[OrderId]) -> bool:
        """Take the manifest from another lease of ours in the deployment, if it has it."""
        for lease in leases:
            body = await self._store.get(lease)
            if body is not None and manifest.version_of(body) == pull.version:
                pull.body[:] = body
                pull.source = "another lease here"
                return True
        return False

    async def _keep(self, pull: Pull) -> None:
        context = self._context(pull.lease)
        if context is None or context.version != pull.version or pull.source is None:
            return  # it has become another one while this was on its way
        refusal = await self._intake.take(context, bytes(pull.body), pull.source)
        if refusal is not None:
            log.warning("manifest refused", lease=pull.lease.hex(), source=pull.source, reason=refusal.detail)
            self._refused[pull.lease] = pull.version, refusal.detail

    def _context(self, lease: OrderId) -> LeaseContext | None:
        snapshot, deployment = self._directory.snapshot, self._directory.deployment(lease)
        if snapshot is None or deployment is None or deployment not in snapshot.deployments:
            return None
        found = snapshot.deployments[deployment]
        group = snapshot.leased_orders[lease].group
        return LeaseContext(snapshot.leases[lease], group, found.tenant, found.version)

    def _is_ours(self, provider: ProviderNumber) -> bool:
        return provider == self._directory.provider

"""What leases have to run: their manifests, read when they come and at looks at everything, and held against chain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import structlog

from moorage import manifest
from moorage.types import Group, OrderId, Version
from provider_agent.core.egress import let_out
from provider_agent.core.firewall import EgressPolicy
from provider_agent.core.lease_names import Identity, LeaseNames
from provider_agent.core.workloads import DesiredLease, desired_lease
from provider_agent.shell.manifest_store import ManifestStore

log = structlog.get_logger(__name__)


class ManifestShelf:
    """Gives what a lease needs. Only bytes whose hash was on chain as a version of its deployment are ever used."""

    def __init__(
        self,
        identity: Identity,
        store: ManifestStore,
        versions: Callable[[OrderId], Collection[Version]],
        egress: EgressPolicy,
    ) -> None:
        self._identity = identity
        self._egress = egress
        self._store = store
        self._versions = versions
        self._unread: set[OrderId] = set()
        self._delivered: set[OrderId] = set()
        """Since the last look began: the store may have told without them."""
        self._decoded: dict[OrderId, DesiredLease] = {}
        self._complaints: dict[OrderId, str] = {}
        self.leases: set[OrderId] = set()
        """Those that have a manifest."""

    async def look(self) -> None:
        """See which manifests there are; each is read again when it is asked for. Disk errors are OSError."""
        self._delivered.clear()
        self.leases = {*await self._store.leases()} | self._delivered
        self._unread = set(self.leases)

    def delivered(self, lease: OrderId) -> None:
        """Note that a manifest was stored."""
        self._delivered.add(lease)
        self.leases.add(lease)
        self._unread.add(lease)

    async def remove(self, lease: OrderId) -> None:
        """Delete a manifest. Disk errors are OSError."""
        await self._store.remove(lease)
        self.leases.discard(lease)
        self._unread.discard(lease)
        self._delivered.discard(lease)

    def forget(self, leases: Iterable[OrderId]) -> None:
        """Drop what was made of manifests that are not needed any more."""
        for lease in leases:
            self._decoded.pop(lease, None)
            self._complaints.pop(lease, None)

    async def desired(self, lease: OrderId, group: Group) -> DesiredLease | None:
        """Return what to run for a lease; None if there is no manifest that may be run.

        A manifest of an earlier version goes on until the tenant sends the new one. Disk errors are OSError.
        """
        try:
            found = await self._read(lease, group)
        except manifest.ManifestError as error:
            if self._complaints.get(lease) != str(error):
                log.error("stored manifest is unusable, waiting for the tenant", lease=lease.hex(), reason=str(error))
            self._complaints[lease] = str(error)
            return None
        self._complaints.pop(lease, None)
        return found

    async def _read(self, lease: OrderId, group: Group) -> DesiredLease | None:
        """
        Raises:
            ManifestError: the disk gave something that the tenant never ordered.
        """
        if lease not in self._unread:
            known = self._decoded.get(lease)
        else:
            self._unread.discard(lease)  # what comes while this is read is read the next time
            try:
                known = await self._read_anew(lease, group)
            except BaseException:
                self._unread.add(lease)
                raise
        if known is not None:
            self._check(lease, known.version)
        return known

    async def _read_anew(self, lease: OrderId, group: Group) -> DesiredLease | None:
        body = await self._store.get(lease)
        if body is None:
            return None
        known, version = self._decoded.get(lease), manifest.version_of(body)
        if known is not None and known.version == version:
            return known
        self._check(lease, version)
        decoded = manifest.decode(body)
        manifest.check_against_lease(decoded, group)
        desired = desired_lease(self._identity, lease, decoded, group.name, version)
        self._decoded[lease] = let_out(desired, LeaseNames(self._identity, lease, version), self._egress)
        return self._decoded[lease]

    def _check(self, lease: OrderId, version: Version) -> None:
        if version not in self._versions(lease):
            raise manifest.ManifestError(f"its version {version.hex()} was never on chain")

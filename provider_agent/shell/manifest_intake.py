"""The one way by which manifests get into the store, whoever brings them: held against chain, lease and policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from moorage import manifest
from moorage.crash import crash_point
from moorage.types import OrderId, Version
from provider_agent.core.image_policy import ImagePolicy
from provider_agent.shell.lease_access import LeaseContext, Refusal
from provider_agent.shell.manifest_store import ManifestStore

TENANT = "the tenant"
MANAGER = "a manager"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is in the store, and who has brought it."""

    version: Version
    source: str


class ManifestIntake:
    """Takes manifests. `on_accepted` is called with each lease whose manifest has been stored."""

    def __init__(
        self, store: ManifestStore, on_accepted: Callable[[OrderId], None], images: ImagePolicy | None = None
    ) -> None:
        self._store = store
        self._on_accepted = on_accepted
        self._images = images or ImagePolicy()
        self._taken: dict[OrderId, Taken] = {}

    def taken(self, lease: OrderId) -> Taken | None:
        """Return what was taken last for a lease since the start."""
        return self._taken.get(lease)

    def forget(self, leases: Iterable[OrderId]) -> None:
        """Drop what is known of leases that are over."""
        for lease in leases:
            self._taken.pop(lease, None)

    async def take(self, context: LeaseContext, body: bytes, source: str) -> Refusal | None:
        """Store a manifest, or return why not. Disk errors are OSError.

        Args:
            context: the lease, with the version that is on chain.
            body: canonical bytes.
            source: who brings it, for people.
        """
        refusal = await asyncio.to_thread(_check_manifest, body, context, self._images)
        if refusal is not None:
            return refusal
        lease = context.lease.id
        crash_point("before-storing-manifest")
        await self._store.put(lease, body)
        crash_point("after-storing-manifest")
        log.info("manifest accepted", lease=lease.hex(), version=context.version.hex(), source=source)
        self._taken[lease] = Taken(context.version, source)
        self._on_accepted(lease)
        return None


def _check_manifest(body: bytes, context: LeaseContext, images: ImagePolicy) -> Refusal | None:
    """Check bytes against chain and lease. Takes a while for a big manifest: not for the event loop's thread."""
    if manifest.version_of(body) != context.version:
        return Refusal(HTTPStatus.CONFLICT, f"the version on chain is {context.version.hex()}")
    try:
        decoded = manifest.decode(body)
    except manifest.ManifestError as error:
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    try:
        manifest.check_against_lease(decoded, context.group)
    except manifest.ManifestError as error:
        return Refusal(HTTPStatus.CONFLICT, str(error))
    ours = next(group for group in decoded.groups if group.name == context.group.name)
    objections = images.objections(workload.image for workload in ours.workloads)
    return Refusal(HTTPStatus.FORBIDDEN, "; ".join(objections)) if objections else None

"""Who may ask what about a lease: every route gets its lease from here, and only the tenant of a live one gets it.

Where a route says so a manager that the tenant has given the permission to on chain gets it, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Protocol, TypeVar, assert_never

from moorage.request_auth import Action, Domain, NonceStore, Reason, Rejected, SignedRequest, verify
from moorage.types import Address, Group, Lease, OrderId, OrderState, Permission, ProviderNumber, Version
from provider_agent.shell.rate_limit import Rate, TokenBuckets

LOOKUP_SECONDS = 10
TENANT_RATE = Rate(per_second=5, burst=30)
ACTIVE = (OrderState.LEASE_ACTIVE,)
NOT_THE_TENANT = "the signer is not the tenant of this lease"

_Found = TypeVar("_Found")


class NoLease(Enum):
    """Why a directory has no answer. A node that is silent says nothing about the lease."""

    UNKNOWN = auto()
    UNAVAILABLE = auto()


@dataclass(frozen=True, slots=True)
class LeaseContext:
    """A lease with what a request about it is checked against."""

    lease: Lease
    group: Group
    tenant: Address
    version: Version
    """Of the deployment, on chain."""


class LeaseDirectory(Protocol):
    """The leases on chain."""

    async def find(self, lease: OrderId) -> LeaseContext | NoLease: ...

    async def permissions(self, lease: OrderId, key: Address) -> Permission | NoLease:
        """Return what a key may do now as a manager of a lease's deployment."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that says no: RFC 9457's status and detail."""

    status: HTTPStatus
    detail: str


@dataclass(frozen=True, slots=True)
class Access:
    """The proof that a request may go on."""

    context: LeaseContext
    request: SignedRequest

    @property
    def is_tenants(self) -> bool:
        """Whether the tenant asks, and not a manager."""
        return self.request.signer == self.context.tenant


class LeaseGate:
    """Lets the tenants of this provider's live leases through, and their managers where they may."""

    def __init__(
        self,
        provider: ProviderNumber,
        domain: Domain,
        directory: LeaseDirectory,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.provider = provider
        self._domain = domain
        self._directory = directory
        self._clock = clock
        self._nonces = NonceStore()
        self._tenants = TokenBuckets(TENANT_RATE)

    async def enter(
        self,
        header: str | None,
        action: Action,
        states: Collection[OrderState] = ACTIVE,
        permission: Permission | None = None,
    ) -> Access | Refusal:
        """Return the lease of a request, or why its sender may not have it. Who is refused spends no nonce.

        Args:
            states: in which the lease may be.
            permission: a manager that has it is let in like the tenant; None: the tenant alone is.
        """
        request = verify(header, action, self._domain, self._now())
        if isinstance(request, Rejected):
            return _unauthorised(request)
        context = await self._find(action.lease)
        if isinstance(context, NoLease):
            return no_lease(context)
        access = Access(context, request)
        refusal = self._check_provider(context)
        if refusal is None and not access.is_tenants:
            refusal = await self._check_manager(action.lease, request.signer, permission)
        refusal = refusal or _check_state(context, states) or self._spend(request)
        return refusal if refusal is not None else access

    async def look_again(self, before: LeaseContext, states: Collection[OrderState] = ACTIVE) -> Refusal | None:
        """Return why the tenant of a lease that was let in is not to stay; a silent node is no reason."""
        context = await self._find(before.lease.id)
        match context:
            case NoLease.UNAVAILABLE:
                return None
            case NoLease():
                return no_lease(context)
            case _:
                has_left = context.tenant != before.tenant
                refusal = Refusal(HTTPStatus.FORBIDDEN, NOT_THE_TENANT) if has_left else None
                return self._check_provider(context) or refusal or _check_state(context, states)

    async def _find(self, lease: OrderId) -> LeaseContext | NoLease:
        return await _in_time(self._directory.find(lease))

    def _check_provider(self, context: LeaseContext) -> Refusal | None:
        return no_lease(NoLease.UNKNOWN) if context.lease.provider != self.provider else None

    async def _check_manager(self, lease: OrderId, signer: Address, permission: Permission | None) -> Refusal | None:
        if permission is None:
            return Refusal(HTTPStatus.FORBIDDEN, NOT_THE_TENANT)
        found = await _in_time(self._directory.permissions(lease, signer))
        if isinstance(found, NoLease):
            return no_lease(found)
        text = f"{NOT_THE_TENANT}, nor a manager that may {str(permission.name).lower()}"
        return Refusal(HTTPStatus.FORBIDDEN, text) if permission not in found else None

    def _spend(self, request: SignedRequest) -> Refusal | None:
        if not self._tenants.take(request.signer):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests of this signer")
        rejected = self._nonces.use(request, self._now())
        return _unauthorised(rejected) if rejected is not None else None

    def _now(self) -> int:
        return int(self._clock())


async def _in_time(answer: Awaitable[_Found | NoLease]) -> _Found | NoLease:
    try:
        async with asyncio.timeout(LOOKUP_SECONDS):
            return await answer
    except TimeoutError:
        return NoLease.UNAVAILABLE


def _check_state(context: LeaseContext, states: Collection[OrderState]) -> Refusal | None:
    return Refusal(HTTPStatus.FORBIDDEN, "the lease is not active") if context.lease.state not in states else None


def _unauthorised(rejected: Rejected) -> Refusal:
    is_full = rejected.reason is Reason.TOO_MANY
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS if is_full else HTTPStatus.UNAUTHORIZED, rejected.reason)


def no_lease(answer: NoLease) -> Refusal:
    """Return how a request is refused about a lease of which a directory knows nothing."""
    match answer:
        case NoLease.UNKNOWN:
            return Refusal(HTTPStatus.NOT_FOUND, "this provider has no such lease")
        case NoLease.UNAVAILABLE:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the chain cannot be read at the moment")
        case _:
            assert_never(answer)

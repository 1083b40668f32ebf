"""Who may ask what about a lease: every route gets its lease from here, and only the tenant of a live one gets it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Protocol, assert_never

from moorage.request_auth import Action, Domain, NonceStore, Reason, Rejected, SignedRequest, verify
from moorage.types import Address, Group, Lease, OrderId, OrderState, ProviderNumber, Version
from provider_agent.shell.rate_limit import Rate, TokenBuckets

LOOKUP_SECONDS = 10
TENANT_RATE = Rate(per_second=5, burst=30)
ACTIVE = (OrderState.LEASE_ACTIVE,)


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


class LeaseGate:
    """Lets the tenants of this provider's live leases through."""

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
        self, header: str | None, action: Action, states: Collection[OrderState] = ACTIVE
    ) -> Access | Refusal:
        """Return the lease of a request, or why its sender may not have it. Only the tenant can spend a nonce.

        Args:
            states: in which the lease may be.
        """
        request = verify(header, action, self._domain, self._now())
        if isinstance(request, Rejected):
            return _unauthorised(request)
        context = await self._find(action.lease)
        if isinstance(context, NoLease):
            return no_lease(context)
        refusal = self._check(context, request.signer, states) or self._spend(request)
        if refusal is not None:
            return refusal
        return Access(context, request)

    async def look_again(self, before: LeaseContext, states: Collection[OrderState] = ACTIVE) -> Refusal | None:
        """Return why the tenant of a lease that was let in is not to stay; a silent node is no reason."""
        context = await self._find(before.lease.id)
        match context:
            case NoLease.UNAVAILABLE:
                return None
            case NoLease():
                return no_lease(context)
            case _:
                return self._check(context, before.tenant, states)

    async def _find(self, lease: OrderId) -> LeaseContext | NoLease:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._directory.find(lease)
        except TimeoutError:
            return NoLease.UNAVAILABLE

    def _check(self, context: LeaseContext, signer: Address, states: Collection[OrderState]) -> Refusal | None:
        if context.lease.provider != self.provider:
            return no_lease(NoLease.UNKNOWN)
        if signer != context.tenant:
            return Refusal(HTTPStatus.FORBIDDEN, "the signer is not the tenant of this lease")
        if context.lease.state not in states:
            return Refusal(HTTPStatus.FORBIDDEN, "the lease is not active")
        return None

    def _spend(self, request: SignedRequest) -> Refusal | None:
        if not self._tenants.take(request.signer):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests of this tenant")
        rejected = self._nonces.use(request, self._now())
        return _unauthorised(rejected) if rejected is not None else None

    def _now(self) -> int:
        return int(self._clock())


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

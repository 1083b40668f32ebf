"""Lets requests of tenants and managers in: cheap looks come first, and the body of a stranger is not even read."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

import msgspec
from aiohttp import web

from moorage import agent_api, manifest
from moorage.request_auth import Action
from moorage.types import OrderId, OrderState, Permission, ProviderNumber
from provider_agent.shell.lease_access import ACTIVE, Access, LeaseContext, LeaseGate, Refusal
from provider_agent.shell.rate_limit import Rate, TokenBuckets, peer_of

PEER_RATE = Rate(per_second=10, burst=40)
RETRY_AFTER_SECONDS = 10


class TenantDoor:
    """Where every tenants' route gets its lease from."""

    def __init__(self, gate: LeaseGate, peer_rate: Rate = PEER_RATE) -> None:
        self._gate = gate
        self._peers = TokenBuckets(peer_rate)

    @property
    def provider(self) -> ProviderNumber:
        return self._gate.provider

    async def admit(
        self, request: web.Request, action: Action, permission: Permission | None = None
    ) -> tuple[Access, bytes] | Refusal:
        """Let a request through to its lease, with its body."""
        access = await self.enter(request, action, permission=permission)
        if isinstance(access, Refusal):
            return access
        try:
            body = await request.read()
        except (ConnectionError, web.RequestPayloadError):
            return Refusal(HTTPStatus.BAD_REQUEST, "the request ended early")
        rejected = access.request.check_body(body)
        if rejected is not None:
            return Refusal(HTTPStatus.UNAUTHORIZED, rejected.reason)
        return access, body

    async def enter(
        self,
        request: web.Request,
        action: Action,
        states: Collection[OrderState] = ACTIVE,
        permission: Permission | None = None,
    ) -> Access | Refusal:
        """Let a request through to its lease; that it has the body that was signed is left to the caller.

        Args:
            permission: see LeaseGate.enter.
        """
        refusal = self._check_shape(request, action)
        if refusal is not None:
            return refusal
        return await self._gate.enter(request.headers.get("Authorization"), action, states, permission)

    async def look_again(self, context: LeaseContext, states: Collection[OrderState] = ACTIVE) -> Refusal | None:
        """Return why a tenant who was let in may not stay, if so."""
        return await self._gate.look_again(context, states)

    def _check_shape(self, request: web.Request, action: Action) -> Refusal | None:
        if not self._peers.take(peer_of(request.remote or "")):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests from this address")
        if request.raw_path != action.path:
            return Refusal(HTTPStatus.NOT_FOUND, "the path has a query or is not in its plain form")
        has_body = action.method == "PUT"
        if has_body and request.content_length is None:
            return Refusal(HTTPStatus.LENGTH_REQUIRED, "the request needs a content-length")
        if request.body_exists and not has_body:
            return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request may not have a body")
        if (request.content_length or 0) > manifest.MAX_BYTES:
            return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a manifest has at most 1 MiB")
        return None


def lease_of(request: web.Request) -> OrderId:
    """Return the lease that a request's path names."""
    return OrderId(bytes.fromhex(request.match_info["lease"]))


def problem(refusal: Refusal, retry_after_seconds: int = RETRY_AFTER_SECONDS) -> web.Response:
    """Return a refusal as an answer (RFC 9457)."""
    document = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": refusal.status.value,
        "detail": refusal.detail,
    }
    headers = {}
    if refusal.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Moorage"
    if refusal.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = str(retry_after_seconds)
    body = msgspec.json.encode(document)
    return web.Response(body=body, status=refusal.status, content_type=agent_api.PROBLEM_TYPE, headers=headers)

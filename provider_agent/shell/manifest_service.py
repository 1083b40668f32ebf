"""The agent's routes for tenants: takes manifests and tells how workloads are.

A request that is refused changes nothing. Refusals are RFC 9457 problems; what went wrong inside stays in the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Protocol

import msgspec
import structlog
from aiohttp import web

from moorage import agent_api, manifest
from moorage.agent_api import LeaseStatus
from moorage.request_auth import Action
from moorage.types import OrderId
from provider_agent.shell.lease_access import LeaseContext, LeaseGate, Refusal
from provider_agent.shell.manifest_intake import TENANT, ManifestIntake
from provider_agent.shell.rate_limit import Rate, TokenBuckets, peer_of

PEER_RATE = Rate(per_second=10, burst=40)
RETRY_AFTER_SECONDS = 10

log = structlog.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusSource(Protocol):
    """What the agent last saw of a lease's workloads."""

    async def status(self, lease: OrderId) -> LeaseStatus: ...


class ManifestService:
    """The routes."""

    def __init__(
        self, gate: LeaseGate, intake: ManifestIntake, statuses: StatusSource, peer_rate: Rate = PEER_RATE
    ) -> None:
        self._gate = gate
        self._intake = intake
        self._statuses = statuses
        self._peers = TokenBuckets(peer_rate)

    def application(self, others: Iterable[web.RouteDef] = ()) -> web.Application:
        """Return the routes as an aiohttp application.

        Args:
            others: routes that are not for tenants; their failures are answered in the same way.
        """
        application = web.Application(middlewares=[_answer], client_max_size=manifest.MAX_BYTES)
        application.router.add_get(agent_api.HEALTH_PATH, _health, allow_head=False)
        application.router.add_put(agent_api.MANIFEST_ROUTE, self._put_manifest)
        application.router.add_get(agent_api.STATUS_ROUTE, self._get_status, allow_head=False)
        application.router.add_routes(others)
        return application

    async def _put_manifest(self, request: web.Request) -> web.Response:
        lease = _lease_of(request)
        admitted = await self._admit(request, agent_api.deliver_manifest(self._gate.provider, lease))
        if isinstance(admitted, Refusal):
            return problem(admitted)
        context, body = admitted
        refusal = await self._intake.take(context, body, TENANT)
        if refusal is not None:
            return problem(refusal)
        return web.json_response({"state": "accepted"}, status=HTTPStatus.ACCEPTED)

    async def _get_status(self, request: web.Request) -> web.Response:
        lease = _lease_of(request)
        admitted = await self._admit(request, agent_api.read_status(self._gate.provider, lease))
        if isinstance(admitted, Refusal):
            return problem(admitted)
        status = await self._statuses.status(lease)
        return web.Response(body=agent_api.encode_status(status), content_type="application/json")

    async def _admit(self, request: web.Request, action: Action) -> tuple[LeaseContext, bytes] | Refusal:
        """Let a request through to its lease, with its body; the body of a stranger is not even read."""
        refusal = self._check_shape(request, action)
        if refusal is not None:
            return refusal
        access = await self._gate.enter(request.headers.get("Authorization"), action)
        if isinstance(access, Refusal):
            return access
        try:
            body = await request.read()
        except (ConnectionError, web.RequestPayloadError):
            return Refusal(HTTPStatus.BAD_REQUEST, "the request ended early")
        rejected = access.request.check_body(body)
        if rejected is not None:
            return Refusal(HTTPStatus.UNAUTHORIZED, rejected.reason)
        return access.context, body

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


@web.middleware
async def _answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Turn every ending into one answer on one connection: the guard's time limit is then a request's."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = problem(Refusal(HTTPStatus(error.status), HTTPStatus(error.status).description))
    except Exception:  # a boundary like the loop's: a stranger must see no inside, and the server goes on
        log.exception("request failed", path=request.path)
        response = problem(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the agent could not handle the request"))
    if response.status >= HTTPStatus.BAD_REQUEST:
        log.info("request refused", status=response.status, lease=request.match_info.get("lease"))
    response.headers["Server"] = "moorage"  # and not which versions of what it is made of
    response.force_close()
    return response


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"state": "ok"})


def _lease_of(request: web.Request) -> OrderId:
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

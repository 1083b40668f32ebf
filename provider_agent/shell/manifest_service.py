"""The agent's routes for tenants, and managers that may update: takes manifests and tells how workloads are.

A request that is refused changes nothing. Refusals are RFC 9457 problems; what went wrong inside stays in the log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Protocol

import structlog
from aiohttp import web

from moorage import agent_api, manifest
from moorage.agent_api import LeaseStatus
from moorage.types import OrderId, Permission
from provider_agent.shell.lease_access import Refusal
from provider_agent.shell.manifest_intake import MANAGER, TENANT, ManifestIntake
from provider_agent.shell.tenant_door import TenantDoor, lease_of, problem

log = structlog.get_logger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusSource(Protocol):
    """What the agent last saw of a lease's workloads."""

    async def status(self, lease: OrderId) -> LeaseStatus: ...


class ManifestService:
    """The routes."""

    def __init__(self, door: TenantDoor, intake: ManifestIntake, statuses: StatusSource) -> None:
        self._door = door
        self._intake = intake
        self._statuses = statuses

    def application(self, others: Iterable[web.RouteDef] = ()) -> web.Application:
        """Return the routes as an aiohttp application.

        Args:
            others: more routes; their failures are answered in the same way.
        """
        application = web.Application(middlewares=[_answer], client_max_size=manifest.MAX_BYTES)
        application.router.add_get(agent_api.HEALTH_PATH, _health, allow_head=False)
        application.router.add_put(agent_api.MANIFEST_ROUTE, self._put_manifest)
        application.router.add_get(agent_api.STATUS_ROUTE, self._get_status, allow_head=False)
        application.router.add_routes(others)
        return application

    async def _put_manifest(self, request: web.Request) -> web.Response:
        lease = lease_of(request)
        action = agent_api.deliver_manifest(self._door.provider, lease)
        admitted = await self._door.admit(request, action, Permission.UPDATE)
        if isinstance(admitted, Refusal):
            return problem(admitted)
        access, body = admitted
        refusal = await self._intake.take(access.context, body, TENANT if access.is_tenants else MANAGER)
        if refusal is not None:
            return problem(refusal)
        return web.json_response({"state": "accepted"}, status=HTTPStatus.ACCEPTED)

    async def _get_status(self, request: web.Request) -> web.Response:
        lease = lease_of(request)
        action = agent_api.read_status(self._door.provider, lease)
        admitted = await self._door.admit(request, action, Permission.UPDATE)
        if isinstance(admitted, Refusal):
            return problem(admitted)
        status = await self._statuses.status(lease)
        return web.Response(body=agent_api.encode_status(status), content_type="application/json")


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

"""The agent's routes for streams: logs of a lease's workloads, and commands in them.

Who is let in is looked at again while a stream lasts. Streams are bounded in number, in time, in what is held for
them, and in how much of the agent's time they take (see stream_slots).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing, suppress
from http import HTTPStatus

import msgspec
import structlog
from aiohttp import WSMsgType, web

from moorage import stream_api
from moorage.stream_api import encode_record
from moorage.streams import LONGEST_SECONDS, Channel, Ended, ExecEnd, ExecRequest, LogQuery, Record
from moorage.types import OrderId, OrderState
from provider_agent.core.containers import ObservedContainer
from provider_agent.core.lease_streams import exec_target, no_source, with_gone
from provider_agent.shell.engine import Engine, EngineError, ExecSpec
from provider_agent.shell.exec_session import ExecSession
from provider_agent.shell.https_server import kept_open
from provider_agent.shell.lease_access import ACTIVE, Access, LeaseContext, Refusal
from provider_agent.shell.log_stream import LogStream
from provider_agent.shell.stream_slots import EXEC_LIMITS, LOG_LIMITS, StreamLimits, StreamSlots
from provider_agent.shell.tenant_door import TenantDoor, lease_of, problem

LOG_STATES = (OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING)
"""While a lease is closing its containers may still be there, and what they have written is their tenant's."""
CHECK_SECONDS = 15.0
"""So often it is seen that the lease still is the tenant's."""
STALL_SECONDS = 60.0
"""Who reads nothing of a log for so long is gone."""
REQUEST_SECONDS = 10.0
"""For the first message of a command."""
CLOSE_SECONDS = 2.0

log = structlog.get_logger(__name__)


class StreamService:
    """The routes."""

    def __init__(
        self,
        door: TenantDoor,
        engine: Engine,
        containers: Callable[[OrderId], Collection[ObservedContainer]],
        log_limits: StreamLimits = LOG_LIMITS,
        exec_limits: StreamLimits = EXEC_LIMITS,
    ) -> None:
        """
        Args:
            containers: returns what a lease has on the engine, as it was last seen.
        """
        self._door = door
        self._engine = engine
        self._containers = containers
        self._logs = StreamSlots(log_limits)
        self._execs = StreamSlots(exec_limits)
        self._stopping = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, for an application that answers what they raise."""
        return [
            web.get(stream_api.LOGS_ROUTE, self._get_logs, allow_head=False),
            web.get(stream_api.EXEC_ROUTE, self._get_exec, allow_head=False),
        ]

    async def stop(self, _: object = None) -> None:
        """End all streams; their clients come back, as they do when an agent is away."""
        self._stopping.set()

    async def _get_logs(self, request: web.Request) -> web.StreamResponse:
        lease = lease_of(request)
        try:
            query = stream_api.parse_query(request.query_string)
        except ValueError as error:
            return problem(Refusal(HTTPStatus.BAD_REQUEST, str(error)))
        access = await self._door.enter(request, stream_api.read_logs(self._door.provider, lease, query), LOG_STATES)
        if isinstance(access, Refusal):
            return problem(access)
        if access.request.check_body(b"") is not None:
            return problem(Refusal(HTTPStatus.UNAUTHORIZED, "the signature is for another body"))
        with self._logs.one(lease, access.context.tenant) as refusal:
            if refusal is not None:
                return problem(Refusal(HTTPStatus.TOO_MANY_REQUESTS, refusal))
            return await self._send_logs(request, access.context, query)

    async def _send_logs(self, request: web.Request, context: LeaseContext, query: LogQuery) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = stream_api.LOGS_TYPE
        response.headers["Server"] = "moorage"
        response.force_close()
        with kept_open(request):
            await self._send_batches(request, response, self._records(context, query))
        return response

    async def _send_batches(
        self, request: web.Request, response: web.StreamResponse, records: AsyncGenerator[list[Record], None]
    ) -> None:
        try:
            await response.prepare(request)
            async with asyncio.timeout(LONGEST_SECONDS + STALL_SECONDS), aclosing(records) as batches:
                async for batch in batches:
                    if request.transport is None:
                        break
                    if batch:
                        async with asyncio.timeout(STALL_SECONDS):
                            await response.write(b"".join(map(encode_record, batch)))
                        await self._logs.rest()
        except (ConnectionError, TimeoutError):  # who has gone, or reads nothing, asks again
            if request.transport is not None:
                request.transport.abort()

    async def _records(self, context: LeaseContext, query: LogQuery) -> AsyncGenerator[list[Record], None]:
        """Yield what is sent, to the end and with the reason for it; now and then that is nothing."""
        stream = LogStream(self._engine, lambda: self._there_and_gone(context.lease.id), query)
        started = checked = time.monotonic()
        try:
            async with aclosing(stream.records()) as batches:
                async for batch in batches:
                    yield batch
                    now = time.monotonic()
                    if self._stopping.is_set():
                        yield [Ended("the agent stops", is_retryable=True)]
                        return
                    if now - started >= LONGEST_SECONDS:
                        yield [Ended("it has lasted as long as it may", is_retryable=True)]
                        return
                    if now - checked >= CHECK_SECONDS:
                        checked = now
                        refusal = await self._door.look_again(context, LOG_STATES)
                        if refusal is not None:
                            yield [Ended(refusal.detail)]
                            return
            yield [Ended(no_source(await self._there_and_gone(context.lease.id), query))]
        except EngineError as error:
            yield [Ended(f"the engine does not tell: {error}", is_retryable=True)]
        except Exception:
            log.exception("log not sent", lease=context.lease.id.hex())
            yield [Ended("the agent could not go on", is_retryable=True)]

    async def _there_and_gone(self, lease: OrderId) -> tuple[ObservedContainer, ...]:
        """Return the containers that a lease has, and had, as far as their output is kept."""
        return with_gone(self._containers(lease), await self._engine.kept_logs(lease))

    async def _get_exec(self, request: web.Request) -> web.StreamResponse:
        lease = lease_of(request)
        access = await self._door.enter(request, stream_api.run_command(self._door.provider, lease))
        if isinstance(access, Refusal):
            return _refused(access)
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, compress=False, max_msg_size=stream_api.MAX_MESSAGE_BYTES)
        if not socket.can_prepare(request):
            return _refused(Refusal(HTTPStatus.UPGRADE_REQUIRED, "a command speaks over a WebSocket"))
        with self._execs.one(lease, access.context.tenant) as refusal:
            if refusal is not None:
                return _refused(Refusal(HTTPStatus.TOO_MANY_REQUESTS, refusal))
            with kept_open(request), suppress(ConnectionError, TimeoutError):
                await socket.prepare(request)
                end = await self._run(socket, access)
                log.info("command ended", lease=lease.hex(), code=end.code, reason=end.reason)
                async with asyncio.timeout(STALL_SECONDS):
                    await socket.send_bytes(bytes([Channel.END]) + msgspec.json.encode(end))
                    await socket.close()
        return socket

    async def _run(self, socket: web.WebSocketResponse, access: Access) -> ExecEnd:
        """Run what the first message asks for, and return how it has ended."""
        asked = await _first_message(socket, access)
        if isinstance(asked, ExecEnd):
            return asked
        lease = access.context.lease.id
        target = exec_target(self._containers(lease), asked)
        if isinstance(target, str):
            return ExecEnd(reason=target)
        log.info("command", lease=lease.hex(), container=target.name, tenant=access.context.tenant)
        spec = ExecSpec(asked.command, asked.has_input, asked.terminal)

        async def look_again() -> str | None:
            refusal = await self._door.look_again(access.context, ACTIVE)
            return refusal.detail if refusal is not None else None

        try:
            async with self._engine.exec(target.name, spec) as running:
                return await ExecSession(
                    socket, running, look_again, CHECK_SECONDS, self._stopping, self._execs.rest
                ).run()
        except EngineError as error:
            return ExecEnd(reason=str(error))
        except ConnectionError:
            raise
        except Exception:
            log.exception("command broke off", lease=lease.hex())
            return ExecEnd(reason="the agent could not go on")


async def _first_message(socket: web.WebSocketResponse, access: Access) -> ExecRequest | ExecEnd:
    """Return what is asked for; it has to be what was signed."""
    try:
        message = await socket.receive(timeout=REQUEST_SECONDS)
    except TimeoutError:
        return ExecEnd(reason="no command came")
    if message.type is not WSMsgType.BINARY or len(message.data) > stream_api.MAX_REQUEST_BYTES:
        return ExecEnd(reason="the first message is no command")
    rejected = access.request.check_body(message.data)
    if rejected is not None:
        return ExecEnd(reason=rejected.reason)
    try:
        return msgspec.json.decode(message.data, type=ExecRequest)
    except ValueError:
        return ExecEnd(reason="the first message is no command")


def _refused(refusal: Refusal) -> web.Response:
    response = problem(refusal)
    response.headers[stream_api.DETAIL_HEADER] = refusal.detail
    return response

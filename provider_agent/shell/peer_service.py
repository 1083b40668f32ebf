"""The agent's routes for other agents: manifests by version, and what a lease's tunnels need.

Apart from the tenants' routes: no signature opens these, and no certificate opens those.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from aiohttp import web

from moorage import agent_api, manifest
from moorage.types import OrderId, ProviderNumber
from provider_agent.shell.lease_access import Refusal
from provider_agent.shell.manifest_store import ManifestStore
from provider_agent.shell.peer_access import PeerAccess, PeerGate, certificate_of
from provider_agent.shell.rate_limit import Rate, TokenBuckets, peer_of
from provider_agent.shell.tenant_door import problem

ADDRESS_RATE = Rate(per_second=20, burst=80)
CHUNK_BYTES = 16_384
BUFFER_BYTES = 32_768
"""What the kernel may hold of an answer."""
SLOW_SECONDS = 12.0
"""An upload that takes longer does not keep others waiting any more."""
HANG_UP_LOOKS = 600
"""How often, in that time, it is looked whether a receiver has hung up."""
UPLOADS = 8
"""At once, slow ones included."""
WAIT_SECONDS = 2.0
"""How long an upload waits for its turn, if it prefers that."""
WAITING = 32
"""How many may wait; the others are told to come back."""
RETRY_AFTER_SECONDS = 1

_RANGE = re.compile(r"bytes=([0-9]{1,7})-")


class Uploads:
    """Lets one upload after the other have the whole line, so that its receiver can pass it on the sooner."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: dict[ProviderNumber, float] = {}
        self._waiting: set[ProviderNumber] = set()
        self._ended = asyncio.Condition()

    @asynccontextmanager
    async def one(self, provider: ProviderNumber, waits: bool) -> AsyncIterator[bool]:
        """Yield whether this upload may begin, if need be after a wait; it is under way until the block ends."""
        if not self._is_free(provider) and not (waits and await self._is_let_in(provider)):
            yield False
            return
        self._running[provider] = self._clock()
        try:
            yield True
        finally:
            del self._running[provider]
            async with self._ended:
                self._ended.notify_all()

    async def _is_let_in(self, provider: ProviderNumber) -> bool:
        if provider in self._running or provider in self._waiting or len(self._waiting) >= WAITING:
            return False
        self._waiting.add(provider)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_SECONDS), self._ended:
                    await self._ended.wait()  # one of those who wait goes on; the others learn who has it by now
            return self._is_free(provider)
        finally:
            self._waiting.discard(provider)

    def _is_free(self, provider: ProviderNumber) -> bool:
        quick = [start for start in self._running.values() if self._clock() - start < SLOW_SECONDS]
        return not quick and len(self._running) < UPLOADS and provider not in self._running


class PeerService:
    """The routes."""

    def __init__(
        self,
        gate: PeerGate,
        store: ManifestStore,
        workloads: Callable[[OrderId, OrderId], bytes | None] = lambda _lease, _peer: None,
        address_rate: Rate = ADDRESS_RATE,
    ) -> None:
        """
        Args:
            workloads: returns what the agent of another lease (the second) may know of one of ours.
            address_rate: how often one address may ask, whoever it says it is.
        """
        self._gate = gate
        self._store = store
        self._workloads = workloads
        self._addresses = TokenBuckets(address_rate)
        self._uploads = Uploads()
        self._given: deque[PeerAccess] = deque(maxlen=UPLOADS)
        """Whom a manifest was given to, the last one first."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, for an application that answers what they raise."""
        return [
            web.get(agent_api.PEER_MANIFEST_ROUTE, self._get_manifest, allow_head=False),
            web.get(agent_api.PEER_WORKLOADS_ROUTE, self._get_workloads, allow_head=False),
        ]

    async def _get_workloads(self, request: web.Request) -> web.StreamResponse:
        access = self._admit(request)
        if isinstance(access, Refusal):
            return problem(access)
        found = self._workloads(access.lease, access.peer.lease)
        if found is None:
            return problem(Refusal(HTTPStatus.NOT_FOUND, "nothing is known of the lease's workloads (yet)"))
        return web.Response(body=found, content_type="application/json")

    async def _get_manifest(self, request: web.Request) -> web.StreamResponse:
        access = self._admit(request)
        if isinstance(access, Refusal):
            return problem(access)
        body = await self._store.get(access.lease)
        if body is None or manifest.version_of(body).hex() != request.match_info["version"]:
            return problem(Refusal(HTTPStatus.NOT_FOUND, "this version of the manifest is not here (yet)"))
        start = _start_of(request, len(body))
        if start is None:
            return problem(Refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "only bytes=N- inside the manifest"))
        waits = request.headers.get("Prefer") == "wait"
        async with self._uploads.one(access.peer.provider, waits) as may_begin:
            if not may_begin:
                busy = problem(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "others are being served"), RETRY_AFTER_SECONDS)
                busy.headers.update(self._hint(access))
                return busy
            response = await _send(request, body, start)
            if response.body_length and await _has_arrived(request):  # it is 0 where sending broke off
                self._given.appendleft(access)
            return response

    def _hint(self, access: PeerAccess) -> dict[str, str]:
        """Return who else may have a lease's manifest, as a header: the one who was given it last."""
        last = next((each.peer.lease for each in self._given if each.lease == access.lease), None)
        return {agent_api.HOLDER_HEADER: last.hex()} if last is not None else {}

    def _admit(self, request: web.Request) -> PeerAccess | Refusal:
        if not self._addresses.take(peer_of(request.remote or "")):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests from this address")
        lease, peer = (OrderId(bytes.fromhex(request.match_info[name])) for name in ("lease", "peer"))
        access = self._gate.enter(certificate_of(request), lease, peer)
        if isinstance(access, PeerAccess) and (request.raw_path != request.path or request.body_exists):
            return Refusal(HTTPStatus.NOT_FOUND, "the request has a query or a body, or its path is not in plain form")
        return access


def _start_of(request: web.Request, size: int) -> int | None:
    """Return from where on the body is asked for; None if that cannot be given."""
    header = request.headers.get("Range")
    if header is None:
        return 0
    found = _RANGE.fullmatch(header)
    return int(found[1]) if found and int(found[1]) < size else None


async def _send(request: web.Request, body: bytes, start: int) -> web.StreamResponse:
    response = web.StreamResponse(status=HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
    response.content_type = agent_api.MANIFEST_TYPE
    response.content_length = len(body) - start
    if start:
        response.headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    response.headers["Server"] = "moorage"
    response.force_close()
    _keep_buffers_small(request)
    with suppress(ConnectionError):  # who has hung up asks again, for the rest
        await response.prepare(request)
        for place in range(start, len(body), CHUNK_BYTES):
            await response.write(body[place : place + CHUNK_BYTES])
        await response.write_eof()
    return response


async def _has_arrived(request: web.Request) -> bool:
    """Wait until the receiver has hung up: only then its line is free again. Return whether it has."""
    for _ in range(HANG_UP_LOOKS):
        if request.transport is None:
            return True
        await asyncio.sleep(SLOW_SECONDS / HANG_UP_LOOKS)
    return False


def _keep_buffers_small(request: web.Request) -> None:
    """Have an upload count as under way until its receiver has nearly all of it; TLS alone would buffer half of it."""
    connection, transport = request.get_extra_info("socket"), request.transport
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    if transport is not None:
        transport.set_write_buffer_limits(high=CHUNK_BYTES, low=0)  # 0 for both would pause it for ever

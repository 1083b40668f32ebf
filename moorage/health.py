"""Whether a daemon does its work, and the small server that tells: /healthz for supervisors, /metrics for Prometheus.

Healthy means that a head was processed within a limit. What else is wrong is told beside it and changes nothing: a
supervisor that restarts an agent because its engine is down would only make things worse.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from yarl import URL

from moorage.metrics import exposition
from moorage.snapshot import Block

HEALTH_PATH = "/healthz"
METRICS_PATH = "/metrics"
SMALLEST_LIMIT_SECONDS = 60.0
LIMIT_BLOCKS = 20
SHUTDOWN_SECONDS = 1.0

log = structlog.get_logger(__name__)


def limit_seconds(seconds_per_block: float) -> float:
    """Return how old the last processed head may be: long enough for slow blocks and a restart of the node."""
    return max(SMALLEST_LIMIT_SECONDS, LIMIT_BLOCKS * seconds_per_block)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What /healthz says."""

    is_healthy: bool
    reasons: tuple[str, ...]
    """Why it is not healthy."""
    warnings: tuple[str, ...]
    """What else is wrong, by what it is about."""
    head_block: int | None

    @property
    def document(self) -> dict[str, object]:
        """The report as JSON."""
        return {
            "state": "ok" if self.is_healthy else "failing",
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "head_block": self.head_block,
        }


class Health:
    """What the loops of a daemon tell of themselves. The clock has to be one that nobody sets."""

    def __init__(self, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._started = clock()
        self._head: tuple[Block, float] | None = None
        self._faults: dict[str, str] = {}
        self._last_failure = ""

    def head_processed(self, block: Block) -> None:
        """Note that a cycle has been completed; the same head again counts only once."""
        if self._head is None or self._head[0].hash != block.hash:
            self._head = block, self._clock()
            self._last_failure = ""

    def cycle_failed(self, reason: str) -> None:
        """Note why a cycle was given up; it is told as soon as no head has been processed in time."""
        self._last_failure = reason

    def fault(self, about: str, reason: str | None) -> None:
        """Note what is wrong with something, such as the engine; None: nothing any more."""
        if reason is None:
            self._faults.pop(about, None)
        else:
            self._faults[about] = reason

    def report(self) -> HealthReport:
        """Return how it is now."""
        since = self._started if self._head is None else self._head[1]
        age = self._clock() - since
        reasons = []
        # before the first head a start is given the same time: reading a long history takes a while
        if age > self._limit_seconds:
            what = "no block processed since the start" if self._head is None else "no new block processed"
            reasons.append(f"{what}, {age:.0f} s ago; the limit is {self._limit_seconds:.0f} s")
            reasons += [f"the last cycle was given up: {self._last_failure}"] if self._last_failure else []
        elif self._head is None:
            reasons.append("starting: no block processed yet")
        warnings = tuple(f"{about}: {reason}" for about, reason in sorted(self._faults.items()))
        head = None if self._head is None else self._head[0].number
        return HealthReport(not reasons, tuple(reasons), warnings, head)


def application(health: Health, registry: CollectorRegistry) -> web.Application:
    """Return both routes as an aiohttp application."""

    async def tell_health(_: web.Request) -> web.Response:
        report = health.report()
        status = HTTPStatus.OK if report.is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response(report.document, status=status)

    async def tell_metrics(_: web.Request) -> web.Response:
        return web.Response(body=exposition(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes = web.Application(client_max_size=1, middlewares=[_refuse_other_names])
    routes.router.add_get(HEALTH_PATH, tell_health)
    routes.router.add_get(METRICS_PATH, tell_metrics)
    return routes


@web.middleware
async def _refuse_other_names(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse requests over loopback that were meant for a name: a web page can have its own point here.

    What comes from other machines comes by whatever name the operator has given this one.
    """
    local = request.get_extra_info("sockname", ("",))[0]
    if _is_loopback(local) and not _is_local_name(request.host):
        return web.Response(status=HTTPStatus.MISDIRECTED_REQUEST, text="ask localhost or the address itself\n")
    return await handler(request)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_local_name(host: str) -> bool:
    """Return whether a Host header names this machine's loopback by its address or as localhost."""
    try:
        name = URL(f"http://{host}").host or ""
    except ValueError:
        return False
    return name.lower() == "localhost" or _is_loopback(name)


@asynccontextmanager
async def telling(
    address: tuple[str, int] | None, health: Health, registry: CollectorRegistry
) -> AsyncIterator[int | None]:
    """Serve while the block runs; yields the port, None if there is no address or it is taken.

    A daemon that confirms leases does not stay down because somebody else has the port of its metrics: that is logged.
    """
    if address is None:
        yield None
        return
    runner = web.AppRunner(application(health, registry), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        yield await _listen(runner, *address)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> int | None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        log.error("metrics not served", address=f"{host}:{port}", reason=error.strerror or str(error))
        return None
    return int(runner.addresses[0][1])

"""Serves an aiohttp application over TLS with bounds on everything that a stranger could make large or slow."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from provider_agent.shell.connection_guard import BACKLOG, ConnectionLimits, GuardedListener

MAX_HEADER_BYTES = 8_190
"""Of one line of the head."""
MAX_HEADERS = 32
GUARD = web.AppKey("guard", list[GuardedListener])
"""Where an application finds the listener that it is served by."""
SHUTDOWN_SECONDS = 5
LINGER_SECONDS = 5
"""How long to go on reading a body that was refused, so that its sender gets to read why."""


@asynccontextmanager
async def serving(
    application: web.Application, host: str, port: int, context: ssl.SSLContext, limits: ConnectionLimits
) -> AsyncIterator[int]:
    """Serve on a numeric address while the block runs; port 0 takes a free one. Yields the port.

    Raises:
        OSError: the address cannot be bound.
    """
    guards = application.setdefault(GUARD, [])
    runner = web.AppRunner(
        application,
        access_log=None,
        logger=_silent_logger(),
        auto_decompress=False,  # the body is what was signed; and a compressed one could grow
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        shutdown_timeout=SHUTDOWN_SECONDS,
        lingering_time=LINGER_SECONDS,
    )
    await runner.setup()
    try:
        listener = GuardedListener(host, port, limits)
        guards.append(listener)
        await web.SockSite(runner, listener, ssl_context=context, backlog=BACKLOG).start()
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()


@contextmanager
def kept_open(request: web.Request) -> Iterator[None]:
    """Take the limit on its life from a request's connection while the block runs, in which others hold.

    It begins anew after that: the end of what was sent may never be read.
    """
    connection = request.get_extra_info("socket")
    guards = request.app.get(GUARD, []) if connection is not None else []
    for guard in guards:
        guard.keep_open(connection.fileno())
    try:
        yield
    finally:
        for guard in guards:
            guard.limit_life(connection.fileno())


def _silent_logger() -> logging.Logger:
    """Return where aiohttp reports malformed requests: strangers could fill a log with traces."""
    logger = logging.Logger(__name__)
    logger.addHandler(logging.NullHandler())
    return logger

"""Keeps the server's certificate fresh, and tells how long it and the root are good for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from moorage import pki
from moorage.monitor import Monitor
from provider_agent.metrics import ProviderMetrics
from provider_agent.shell.server_certificate import ServerCertificate

CHECK_SECONDS = 600

log = structlog.get_logger(__name__)


async def keep_certificates(
    root: pki.Credential,
    server: ServerCertificate,
    metrics: ProviderMetrics,
    monitor: Monitor,
    stop: asyncio.Event,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    check_seconds: float = CHECK_SECONDS,
) -> None:
    """Renew the server's certificate in time until `stop` is set.

    Args:
        root: tells only how long it is good for: another one has to be registered by the owner.
        clock: tells the time, with its zone.
    """
    metrics.certificate("root", root.certificate.not_valid_after_utc)
    while not stop.is_set():
        monitor.fault("certificate", _renew(server, clock()))
        metrics.certificate("server", server.expires)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), check_seconds)


def _renew(server: ServerCertificate, now: datetime) -> str | None:
    """Return why the certificate is not renewed though it is due."""
    try:
        if server.renew_if_due(now):
            log.info("server certificate renewed")
    except (pki.PkiError, OSError) as error:
        log.error("server certificate not renewed", reason=str(error))
        return f"the server's is not renewed: {error}"
    return None

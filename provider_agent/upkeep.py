"""An agent's certificates: what issues them, its own leaves, and that all are renewed in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from cryptography import x509

from moorage import pki
from moorage.monitor import Monitor
from provider_agent.metrics import ProviderMetrics
from provider_agent.shell.authority import CLIENT, SERVER, Authority
from provider_agent.shell.server_certificate import Leaf, ServerCertificate

CHECK_SECONDS = 600
INTERMEDIATE_NOTICE = timedelta(days=60)
"""How long before the intermediate expires its operator is told, if the root's key is not at hand to renew it."""

log = structlog.get_logger(__name__)


class Renewable(Protocol):
    """A certificate that is renewed in time."""

    @property
    def expires(self) -> datetime: ...

    def renew_if_due(self, now: datetime) -> bool: ...


class Certificates:
    """What an agent issues certificates from, and the two by which it is known itself."""

    def __init__(self, authority: Authority, directory: Path, now: datetime) -> None:
        """
        Args:
            directory: where the two are.
            now: with a time zone.

        Raises:
            OSError: one cannot be stored.
        """
        self.authority = authority
        self.server = ServerCertificate(self.issuer, directory / SERVER, now)
        self.client = Leaf(lambda at: pki.issue_client(self.issuer(), at), directory / CLIENT, now)

    def issuer(self) -> pki.Credential:
        """Return the intermediate as it is now."""
        return self.authority.issuer

    @property
    def renewable(self) -> Mapping[str, Renewable]:
        """All of them by name, an issuer before what it issues."""
        return {"intermediate": self.authority, "server": self.server, "client": self.client}


async def keep_certificates(
    root: x509.Certificate,
    kept: Mapping[str, Renewable],
    metrics: ProviderMetrics,
    monitor: Monitor,
    stop: asyncio.Event,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    check_seconds: float = CHECK_SECONDS,
) -> None:
    """Renew certificates in time until `stop` is set.

    Args:
        root: tells only how long it is good for: another one has to be registered by the owner.
        kept: by name; an issuer before what it issues.
        clock: tells the time, with its zone.
    """
    metrics.certificate("root", root.not_valid_after_utc)
    while not stop.is_set():
        faults = [_renew(name, each, clock()) for name, each in kept.items()]
        monitor.fault("certificate", "; ".join(fault for fault in faults if fault) or None)
        for name, each in kept.items():
            metrics.certificate(name, each.expires)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), check_seconds)


def _renew(name: str, certificate: Renewable, now: datetime) -> str | None:
    """Return why a certificate is not renewed though it is due."""
    try:
        if certificate.renew_if_due(now):
            log.info("certificate renewed", certificate=name)
    except (pki.PkiError, OSError) as error:
        log.error("certificate not renewed", certificate=name, reason=str(error))
        return f"the {name}'s is not renewed: {error}"
    if name == "intermediate" and certificate.expires - now < INTERMEDIATE_NOTICE:
        days = (certificate.expires - now).days
        return f"the intermediate's expires in {days} days: bring the root's key, see moorage-provider certificates"
    return None

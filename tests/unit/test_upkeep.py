"""Certificates are renewed in time; what is told of them makes nobody unhealthy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from moorage import pki
from moorage.health import Health
from moorage.monitor import Monitor
from moorage.snapshot import Block
from moorage.types import Address
from moorage.watchdog import LIMIT_SECONDS, Watchdog
from provider_agent.metrics import ProviderMetrics
from provider_agent.shell.authority import Authority, store_root
from provider_agent.shell.server_certificate import ServerCertificate
from provider_agent.upkeep import Renewable, keep_certificates
from tests.markets import US

NOW = datetime.now(UTC)
EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")


@dataclass
class Desk:
    metrics: ProviderMetrics
    health: Health
    monitor: Monitor

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"moorage_provider_{name}", labels)

    def warnings(self) -> tuple[str, ...]:
        report = self.health.report()
        assert report.is_healthy
        return report.warnings


@pytest.fixture
def desk() -> Desk:
    metrics, health = ProviderMetrics(18, NOW.timestamp), Health(60)
    health.head_processed(Block(7, b"7" * 32, 0))
    watchdog = Watchdog(LIMIT_SECONDS, {})
    return Desk(metrics, health, Monitor(metrics.chain, metrics.cycles, metrics.transactions, health, watchdog))


async def until_quiet(desk: Desk) -> None:
    """Wait until nothing is warned of any more."""
    async with asyncio.timeout(60):
        while desk.warnings():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def keep(desk: Desk, root: x509.Certificate, stop: asyncio.Event, **kept: Renewable) -> None:
    await keep_certificates(root, kept, desk.metrics, desk.monitor, stop, lambda: NOW, 0.01)


async def test_h22_certificates__are_kept__tell_their_days(desk: Desk, tmp_path: Path) -> None:
    root = pki.create_root(US, EXCHANGE, NOW)
    server = ServerCertificate(lambda: root, tmp_path / "server.pem", NOW - timedelta(hours=17))
    stop = asyncio.Event()

    keeping = asyncio.create_task(
        keep_certificates(root.certificate, {"server": server}, desk.metrics, desk.monitor, stop, lambda: NOW)
    )
    await asyncio.sleep(0)
    stop.set()
    await keeping

    days = (root.certificate.not_valid_after_utc - NOW).total_seconds() / 86_400
    assert desk.metric("certificate_days", certificate="root") == pytest.approx(days)
    assert desk.metric("certificate_days", certificate="server") == pytest.approx(1, abs=0.02)  # it was renewed
    assert desk.warnings() == ()


async def test_h22_certificates__cannot_be_renewed__is_told_until_it_can(desk: Desk, tmp_path: Path) -> None:
    root = pki.create_root(US, EXCHANGE, NOW)
    folder = tmp_path / "data"
    server = ServerCertificate(lambda: root, folder / "server.pem", NOW - timedelta(hours=17))
    folder.rename(tmp_path / "moved")
    folder.write_text("in the way")
    stop = asyncio.Event()

    keeping = asyncio.create_task(
        keep_certificates(root.certificate, {"server": server}, desk.metrics, desk.monitor, stop, lambda: NOW, 0.01)
    )
    await asyncio.sleep(0)
    (warning,) = desk.warnings()
    folder.unlink()
    await until_quiet(desk)
    stop.set()
    await keeping

    assert warning.startswith("certificate: the server's is not renewed: ")
    assert desk.warnings() == ()


async def test_h22_certificates__intermediate_ends_and_the_root_is_away__is_told_in_time(
    desk: Desk, tmp_path: Path
) -> None:
    root = pki.create_root(US, EXCHANGE, NOW - timedelta(days=330))
    store_root(root, tmp_path / "root.pem")
    Authority(tmp_path, root.certificate, NOW - timedelta(days=320))
    (tmp_path / "root.pem").unlink()
    authority, stop = Authority(tmp_path, root.certificate, NOW), asyncio.Event()

    keeping = asyncio.create_task(keep(desk, root.certificate, stop, intermediate=authority))
    await asyncio.sleep(0)
    (warning,) = desk.warnings()
    store_root(root, tmp_path / "root.pem")
    await until_quiet(desk)
    stop.set()
    await keeping

    assert warning.startswith("certificate: the intermediate's expires in 44 days")
    assert desk.warnings() == ()
    assert desk.metric("certificate_days", certificate="intermediate") == pytest.approx(365)

"""What running daemons tell Prometheus is what is on the chain, on the engine and with their keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from moorage.maintenance import Maintenance
from tests.datacenters import PERIOD, Site, make_manifest, open_site

pytestmark = pytest.mark.timeout(400)

RUNNING = {
    "agent-0": {
        "moorage_chain_endpoint_up{endpoint=0}": 1,
        "moorage_provider_leases{state=active}": 1,
        "moorage_provider_workloads{state=running}": 1,
        "moorage_provider_period_blocks": PERIOD,
        "moorage_provider_draining": 1,
        "moorage_provider_items_quarantined": 0,
        "moorage_provider_engine_up": 1,
    },
    "facilitator-2": {
        "moorage_chain_endpoint_up{endpoint=0}": 1,
        "moorage_facilitator_leases{state=active}": 1,
        "moorage_facilitator_deployments{state=active}": 1,
        "moorage_facilitator_orders_open": 0,
        "moorage_facilitator_due{kind=submit_lease}": 0,
        "moorage_facilitator_draining": 0,
    },
}
POSITIVE = {
    "agent-0": [
        "moorage_chain_head_block",
        "moorage_provider_blocks_to_deadline",
        "moorage_provider_collateral_locked_tokens",
        "moorage_provider_charge_tokens_per_block",
        "moorage_provider_capacity_reserved{resource=milli_cpu}",
        "moorage_transactions_coin_balance",
        "moorage_provider_certificate_days{certificate=root}",
        "moorage_provider_certificate_days{certificate=server}",
    ],
    "facilitator-2": ["moorage_chain_head_block", "moorage_facilitator_tips_tokens"],
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as opened:
        opened.start_facilitator()
        opened.start_agent()
        yield opened


async def samples(site: Site, daemon: str) -> dict[str, float]:
    """Return what a daemon tells by name and labels: `moorage_x{a=b}`."""
    address = f"http://127.0.0.1:{site.metrics[daemon]}/metrics"
    async with aiohttp.ClientSession() as session, session.get(address) as response:
        families = list(text_string_to_metric_families(await response.text()))
    return {_series(sample.name, sample.labels): sample.value for family in families for sample in family.samples}


def _series(name: str, labels: dict[str, str]) -> str:
    return name + (f"{{{','.join(f'{key}={value}' for key, value in labels.items())}}}" if labels else "")


def missing(found: dict[str, float], daemon: str) -> dict[str, float | None]:
    """Return what is not as it has to be."""
    wrong = {name: found.get(name) for name, value in RUNNING[daemon].items() if found.get(name) != value}
    return wrong | {name: found.get(name) for name in POSITIVE[daemon] if not found.get(name, 0) > 0}


async def test_metrics__a_lease_runs__tell_of_it(site: Site) -> None:
    body = make_manifest()
    deployment = await site.submit(body)
    lease = await site.lease(deployment)
    await site.deliver(lease.id, body)
    await site.running(lease.id)
    Maintenance(site.folder / "data-0").drain(True)

    wrong: dict[str, dict[str, float | None]] = {}
    for _ in range(240):
        wrong = {daemon: missing(await samples(site, daemon), daemon) for daemon in RUNNING}
        if not any(wrong.values()):
            break
        await asyncio.sleep(0.5)

    assert wrong == {"agent-0": {}, "facilitator-2": {}}
    await site.closed(deployment)

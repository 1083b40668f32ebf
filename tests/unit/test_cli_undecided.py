"""An update of which nobody knows whether it arrives: its manifest stays here, whatever is said of it.

The run sends into a pool that follows geth's rules.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from cli import turns
from cli.core.changes import Changes
from cli.core.order_plan import OrderPlan
from cli.desk import Desk
from cli.failures import ExitStatus, Failure, Interrupted
from cli.output import PlainScreen
from cli.records import Record, Revision
from cli.updating import Update, send_update
from moorage.chain.sender import NotSent, Sender
from tests.factories.deployments import DEPLOYMENT, view
from tests.fakes.node import Refusal
from tests.fakes.pool import Pool
from tests.fakes.pool_desk import pool_desk

BEFORE = Record(DEPLOYMENT, Path("/app/moorage.yml"), b"\x05" * 32, b"{}", b"\x06" * 32, 1_700_000_000)
AFTER = BEFORE.updated(b'{"newer":1}', b"\x06" * 32)
UPDATE = Update(view(), BEFORE, None, Revision(AFTER.manifest, AFTER.terms_digest), True, Changes((), (), 0))
PLAN = OrderPlan((), tips=0, total=0, available=0, missing_base_units=0)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def desk(pool: Pool, tmp_path: Path) -> Desk:
    desk = pool_desk(pool, tmp_path)
    desk.records.save(BEFORE)
    return desk


async def update(desk: Desk) -> None:
    await send_update(desk, AFTER, UPDATE, PLAN, PlainScreen())


async def test_j04_update__in_no_block_in_time__keeps_its_manifest(pool, desk, monkeypatch):
    monkeypatch.setattr(turns, "Sender", partial(Sender, time_limit_seconds=0.01))
    pool.is_mining = False

    with pytest.raises(Failure, match=r"not in a block after 0 s .* nothing is paid or ordered twice") as caught:
        await update(desk)

    assert caught.value.status is ExitStatus.CHAIN_UNAVAILABLE
    assert desk.records.find(DEPLOYMENT) == AFTER


async def test_j04_update__interrupted_while_it_is_in_the_pool__keeps_its_manifest(pool, desk):
    pool.is_mining, sent = False, asyncio.Event()
    pool.before["eth_sendRawTransaction"] = sent.set
    sending = asyncio.create_task(update(desk))
    await sent.wait()
    sending.cancel()

    with pytest.raises(Interrupted, match="it may still get there: run the same command again") as caught:
        await sending

    assert caught.value.status is ExitStatus.ABORTED
    assert desk.records.find(DEPLOYMENT) == AFTER


@pytest.mark.parametrize("reason", ["deployment: not active", "it may still get there"])
async def test_j04_update__refused_in_whatever_words__is_forgotten(pool, desk, reason):
    refusal = Refusal(reason, code=-32000)
    pool.before["eth_estimateGas"] = lambda: pool.faults.update(eth_estimateGas=[refusal])

    with pytest.raises(NotSent, match=reason):
        await update(desk)

    assert pool.seen == [] and desk.records.find(DEPLOYMENT) == BEFORE

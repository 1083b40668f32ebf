"""An update of which nobody knows whether it arrives: its manifest stays here, whatever is said of it.

The run sends into a pool that follows geth's rules.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from cli import turns
from cli.core.changes import Changes
from cli.core.order_plan import OrderPlan
from cli.desk import Desk
from cli.environment import Environment
from cli.failures import ExitStatus, Failure, Interrupted
from cli.options import Format, Options
from cli.output import PlainScreen
from cli.records import Record, Records, Revision
from cli.session import Session
from cli.signers import KeySigner
from cli.tenant_reader import TenantReader
from cli.updating import Update, send_update
from moorage.chain.contracts import Exchange, Token
from moorage.chain.sender import NotSent, Sender
from moorage.chain.signer import market_calls
from moorage.types import Address
from tests.factories.calls import MARKET
from tests.factories.deployments import DEPLOYMENT, MONEY, view
from tests.fakes.node import Refusal
from tests.fakes.pool import Pool

KEY: LocalAccount = Account.from_key(b"\x07" * 32)
BEFORE = Record(DEPLOYMENT, Path("/app/moorage.yml"), b"\x05" * 32, b"{}", b"\x06" * 32, 1_700_000_000)
AFTER = BEFORE.updated(b'{"newer":1}', b"\x06" * 32)
UPDATE = Update(view(), BEFORE, None, Revision(AFTER.manifest, AFTER.terms_digest), True, Changes((), (), 0))
PLAN = OrderPlan((), tips=0, total=0, available=0, missing_base_units=0)


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def records(tmp_path: Path) -> Records:
    records = Records(tmp_path, MARKET, Address(KEY.address))
    records.save(BEFORE)
    return records


async def update(pool: Pool, records: Records, folder: Path) -> None:
    environment = Environment(folder, folder, is_interactive=False, is_terminal=False)
    options = Options("", False, None, Format.TEXT, folder / "wallet.json", None, None, is_agreed=True)
    signer = KeySigner(Address(KEY.address), lambda: KEY, market_calls(MARKET))
    rpc: Any = pool.rpc
    contracts = Exchange(rpc, MARKET), Token(rpc, MARKET), TenantReader(rpc, MARKET)
    session = Session(rpc, MARKET, folder / "market.json", MONEY, *contracts)
    desk = Desk(environment, options, session, signer, records)
    await send_update(desk, AFTER, UPDATE, PLAN, PlainScreen())


async def test_j04_update__in_no_block_in_time__keeps_its_manifest(pool, records, tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "Sender", partial(Sender, time_limit_seconds=0.01))
    pool.is_mining = False

    with pytest.raises(Failure, match=r"not in a block after 0 s .* nothing is paid or ordered twice") as caught:
        await update(pool, records, tmp_path)

    assert caught.value.status is ExitStatus.CHAIN_UNAVAILABLE
    assert records.find(DEPLOYMENT) == AFTER


async def test_j04_update__interrupted_while_it_is_in_the_pool__keeps_its_manifest(pool, records, tmp_path):
    pool.is_mining, sent = False, asyncio.Event()
    pool.before["eth_sendRawTransaction"] = sent.set
    sending = asyncio.create_task(update(pool, records, tmp_path))
    await sent.wait()
    sending.cancel()

    with pytest.raises(Interrupted, match="it may still get there: run the same command again") as caught:
        await sending

    assert caught.value.status is ExitStatus.ABORTED
    assert records.find(DEPLOYMENT) == AFTER


@pytest.mark.parametrize("reason", ["deployment: not active", "it may still get there"])
async def test_j04_update__refused_in_whatever_words__is_forgotten(pool, records, tmp_path, reason):
    refusal = Refusal(reason, code=-32000)
    pool.before["eth_estimateGas"] = lambda: pool.faults.update(eth_estimateGas=[refusal])

    with pytest.raises(NotSent, match=reason):
        await update(pool, records, tmp_path)

    assert pool.seen == [] and records.find(DEPLOYMENT) == BEFORE

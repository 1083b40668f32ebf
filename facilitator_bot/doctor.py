"""The checks of a facilitator."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from facilitator_bot.core.summary import summarise
from facilitator_bot.settings import Settings
from moorage.chain.market import Market, load_market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc
from moorage.doctor.chain import (
    ask_endpoint,
    base_fee,
    check_clock,
    check_coin,
    check_contracts,
    compare_endpoints,
)
from moorage.doctor.finding import Check, Finding, at_once, examine
from moorage.doctor.host import check_data_dir, check_port
from moorage.doctor.key import check_sending
from moorage.doctor.work import judge_work, last_act
from moorage.money import Money
from moorage.snapshot import Block

EXPECTED = (ChainError, OSError)
GAS_PER_HOUR = 2_000_000
"""A guess: some ten full batches. What a facilitator spends depends on the market."""
LEAST_HOURS = 72


async def diagnose(settings: Settings, clock: Callable[[], float] = time.time) -> list[Finding]:
    """Run all checks.

    Raises:
        MarketError: the market's file can't be read: nothing could be compared with it.
    """
    market = load_market(settings.market_file)
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(Rpc(url)) for url in settings.rpc_urls]
        endpoints = [await ask_endpoint(node, market) for node in nodes]
        findings = compare_endpoints(endpoints)
        address, key_findings = await check_sending(settings.sending, "the key of")
        findings += key_findings
        checks = [
            Check("data_dir", at_once(lambda: check_data_dir(settings.data_dir, ()))),
            Check("metrics", lambda: check_port("metrics", settings.metrics)),
        ]
        answering = [
            (node, endpoint.head) for node, endpoint in zip(nodes, endpoints, strict=True) if endpoint.head is not None
        ]
        if answering:
            rpc, head = answering[0]
            checks += [
                Check("clock", at_once(lambda: check_clock(head, clock(), market))),
                Check("market", lambda: check_contracts(rpc, market)),
                Check("market's work", lambda: check_work(rpc, market, head)),
            ]
            if address is not None:
                need = (await base_fee(rpc))[0] * GAS_PER_HOUR
                checks.append(Check("coin", lambda: check_coin(rpc, address, need, LEAST_HOURS)))
        return findings + await examine(checks, EXPECTED)


async def check_work(rpc: Rpc, market: Market, head: Block) -> list[Finding]:
    """See whether anybody turns the market's crank: what has been waiting, and when a facilitator acted last."""
    summary = summarise(await MarketReader(rpc, market).snapshot())
    money = Money(market.token_symbol, market.parameters.token_decimals, market.seconds_per_block)
    waiting, oldest = sum(summary.due.values()), summary.oldest_due_blocks
    return [judge_work(waiting, oldest, await last_act(rpc, market, head), head, money)]

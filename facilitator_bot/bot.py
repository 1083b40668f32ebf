"""Builds the facilitator of its parts and runs it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog

from facilitator_bot.metrics import FacilitatorMetrics
from facilitator_bot.settings import Settings
from facilitator_bot.shell.executor import PRIORITIES
from facilitator_bot.shell.gauges import Gauges
from facilitator_bot.shell.loop import Crank
from moorage import units
from moorage.chain.heads import HeadFeed
from moorage.chain.market import Market, load_market
from moorage.chain.market_node import market_node
from moorage.chain.reader import MarketReader
from moorage.chain.signer import market_calls
from moorage.cycles import PATIENCE_SECONDS, run_cycles
from moorage.dispatch import Dispatch
from moorage.health import Health, limit_seconds, telling
from moorage.maintenance import Maintenance
from moorage.measuring import keep_measuring
from moorage.monitor import Monitor
from moorage.sending import address_of, opened_outbox
from moorage.signals import stop_on_signals, tell_on_signal
from moorage.watchdog import LIMIT_SECONDS, Watchdog

log = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ChainError, KeyFileError: it cannot start; the message says what to do.
    """
    tell_on_signal()
    market = load_market(settings.market_file)
    address = address_of(settings.sending) if settings.sending else None
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(market_node(settings.rpc_urls, market, settings.rpc_setting))
        metrics = FacilitatorMetrics(market.parameters.token_decimals)
        health = Health(limit_seconds(float(market.seconds_per_block)))
        watchdog = stack.enter_context(Watchdog(LIMIT_SECONDS))
        monitor = Monitor(metrics.chain, metrics.cycles, metrics.transactions, health, watchdog)
        outbox = None
        if settings.sending is not None:
            allowed = market_calls(market, PRIORITIES, ())
            outbox = await stack.enter_async_context(opened_outbox(rpc, settings.sending, allowed, monitor))
        reader = MarketReader(rpc, market, patience_seconds=PATIENCE_SECONDS)
        dispatch, maintenance = Dispatch(outbox), Maintenance(settings.data_dir)
        monitor.watch(rpc, reader.index, dispatch, maintenance)
        crank = Crank(reader, dispatch, maintenance, _tip_wei(settings, market))
        gauges = Gauges(metrics, reader.exchange, address, lambda: crank.newest)
        await stack.enter_async_context(telling(settings.metrics, health, metrics.registry))
        stop = stop_on_signals()
        watchdog.ready(address or "dry mode")
        log.info("facilitator started", exchange=market.exchange, address=address or "dry mode")
        feed = HeadFeed(settings.ws_url) if settings.ws_url else None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_measuring(gauges.measure, stop))
            tasks.create_task(keep_measuring(dispatch.look_at_coin, stop))
            await run_cycles(rpc, stop, crank.cycle, monitor, feed)
        log.info("facilitator stopped")


def _tip_wei(settings: Settings, market: Market) -> int | None:
    """Return what a tip is worth, if the operator says what a token is."""
    if settings.coins_per_token is None:
        return None
    rate = units.wei_per_ledger_unit(settings.coins_per_token, market.parameters.token_decimals)
    return int(market.parameters.facilitator_tip * rate)

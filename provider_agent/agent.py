"""Builds the agent of its parts and runs it: one loop for the market, one for the engine, one HTTPS service."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from fractions import Fraction

import structlog
from aiohttp import web

from moorage import units
from moorage.chain.contracts import Registry
from moorage.chain.heads import HeadFeed
from moorage.chain.market import Market, load_market
from moorage.chain.market_node import market_node
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import Rpc
from moorage.chain.signer import market_calls
from moorage.cycles import PATIENCE_SECONDS, run_cycles
from moorage.dispatch import Dispatch
from moorage.doctor.chain import base_fee
from moorage.doctor.finding import Level
from moorage.health import Health, limit_seconds, telling
from moorage.maintenance import Maintenance
from moorage.measuring import keep_measuring
from moorage.money import Money
from moorage.monitor import Monitor
from moorage.request_auth import Domain
from moorage.sending import address_of, opened_outbox
from moorage.signals import stop_on_signals, tell_on_signal
from moorage.snapshot import Block, Snapshot
from moorage.types import OrderId
from moorage.watchdog import LIMIT_SECONDS, Watchdog
from provider_agent.core.advertisement import advertised_price
from provider_agent.core.endings import Endings
from provider_agent.core.gateway_config import LeaseTunnels
from provider_agent.core.lease_names import Identity
from provider_agent.core.stuffing import Gas
from provider_agent.core.tunnels import Participant, TunnelEnd
from provider_agent.doctor_market import exposure, judge_period
from provider_agent.engine_room import Guard, opened_engine
from provider_agent.gateway_settings import gateway_owner
from provider_agent.metrics import ProviderMetrics
from provider_agent.offer import admission, advertisement_policy, price_policy
from provider_agent.peering import Peering
from provider_agent.registration import check_registration
from provider_agent.settings import Settings, SettingsError
from provider_agent.shell.advertiser import ADVERTISE, Advertiser
from provider_agent.shell.authority import Authority
from provider_agent.shell.connection_guard import ConnectionLimits
from provider_agent.shell.edge import EdgeKeeper
from provider_agent.shell.executor import PRIORITIES
from provider_agent.shell.gauges import Gauges
from provider_agent.shell.haproxy_gateways import HaproxyGateways
from provider_agent.shell.https_server import serving
from provider_agent.shell.image_ledger import ImageLedger
from provider_agent.shell.images import docker_images, keep_tidy
from provider_agent.shell.lease_access import LeaseGate
from provider_agent.shell.lease_directory import ChainLeases
from provider_agent.shell.loop import MarketLoop, Offer
from provider_agent.shell.manifest_service import ManifestService
from provider_agent.shell.manifest_store import MANIFESTS, ManifestFiles
from provider_agent.shell.peer_answers import PeerAnswers
from provider_agent.shell.public_host import PublicHost
from provider_agent.shell.stream_service import StreamService
from provider_agent.shell.tenant_door import TenantDoor
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner
from provider_agent.upkeep import Certificates, keep_certificates

KEPT_SECONDS = 86_400
"""What has the labels of a lease that never was this provider's is kept for so long before it is removed."""

log = structlog.get_logger(__name__)


async def serve(settings: Settings, accepts_holes: bool = False) -> None:
    """Run the agent until SIGTERM or SIGINT. All that can be wrong with its surroundings is found before it begins.

    Args:
        accepts_holes: whether it may run on an engine with known holes.

    Raises:
        ChainError, EngineError, KeyFileError, PkiError, SettingsError: it cannot start; the message says what to do.
    """
    tell_on_signal()
    market = load_market(settings.market_file)
    operator = address_of(settings.sending)
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(market_node(settings.rpc_urls, market, settings.rpc_setting))
        provider, root = await check_registration(rpc, market, settings, operator)
        authority = Authority(settings.data_dir, root, datetime.now(UTC))
        await _warn_of_short_period(rpc, market, settings)
        identity = Identity(market.chain_id, market.exchange, provider)
        room = await stack.enter_async_context(opened_engine(settings, identity, accepts_holes))
        metrics = ProviderMetrics(market.parameters.token_decimals)
        health = Health(limit_seconds(float(market.seconds_per_block)))
        watchdog = stack.enter_context(Watchdog(LIMIT_SECONDS))
        monitor = Monitor(metrics.chain, metrics.cycles, metrics.transactions, health, watchdog)
        reader = MarketReader(rpc, market, provider, PATIENCE_SECONDS)
        allowed = market_calls(market, PRIORITIES, [ADVERTISE])
        outbox = opened_outbox(rpc, settings.sending, allowed, monitor)
        dispatch = Dispatch(await stack.enter_async_context(outbox))
        registry, maintenance = Registry(rpc, market), Maintenance(settings.data_dir)
        monitor.watch(rpc, reader.index, dispatch, maintenance)
        offer = _offer(settings, market)
        price = advertised_price(offer.prices, offer.admission.pricing)
        advertiser = Advertiser(registry, provider, offer.capacity, price, advertisement_policy(settings, market))
        market_loop = MarketLoop(
            reader, registry, dispatch, provider, offer, maintenance, advertiser, lambda each: take_in(each)
        )
        store = ManifestFiles(settings.data_dir / MANIFESTS)
        images = await stack.enter_async_context(
            docker_images(
                settings.docker_url,
                identity,
                ImageLedger(settings.data_dir / "images.json"),
                settings.image_options,
                _unix_time,
            )
        )
        gateways = HaproxyGateways(settings.gateways, gateway_owner())
        here = PublicHost(settings.gateways.host.strip("[]"))
        runner = WorkloadRunner(room.engine, gateways, _unix_time, images=images)
        leases = ChainLeases(reader)
        endings = Endings(remove_after_blocks=units.to_blocks(KEPT_SECONDS, market.seconds_per_block))
        again = asyncio.Event()
        certificates = Certificates(authority, settings.data_dir, datetime.now(UTC))
        gate = LeaseGate(provider, Domain(market.chain_id, market.exchange), leases)
        peering = Peering(
            provider,
            market.exchange,
            rpc,
            registry,
            store,
            settings.images,
            certificates,
            PeerAnswers(settings.data_dir / "peers"),
            lambda lease, peer: tunnel_address(lease, peer),
            lambda lease: workloads.delivered(lease),
            lambda lease, ends: take_tunnels(lease, ends),
        )
        workloads = WorkloadLoop(
            rpc,
            reader.exchange,
            identity,
            runner,
            store,
            leases.versions,
            endings,
            again.set,
            peering.overlay,
            peering.manifests.state,
            settings.isolation.egress,
        )
        guard = Guard(room, settings, runner, lambda: workloads.wanted)
        gauges = Gauges(
            metrics,
            reader.exchange,
            registry,
            provider,
            offer.capacity,
            lambda: market_loop.newest,
            workloads,
            peering.overlay,
        )
        door = TenantDoor(gate)
        streams = StreamService(door, room.engine, runner.containers)
        service = ManifestService(door, peering.intake, workloads).application(
            [*peering.service.routes(), *streams.routes()]
        )
        service.on_shutdown.append(streams.stop)

        def tunnel_address(lease: OrderId, peer: Participant) -> tuple[str, int] | None:
            if peer.provider == provider:
                return workloads.passage(lease, peer.lease)
            port = workloads.tunnel_port(lease)
            return (here.address, port) if here.address is not None and port is not None else None

        def take_tunnels(lease: OrderId, ends: tuple[TunnelEnd, ...]) -> None:
            gateways.set_tunnels(lease, LeaseTunnels.of(ends))
            workloads.look_at(lease)

        def take_in(snapshot: Snapshot) -> None:
            peering.take(snapshot)
            workloads.note(snapshot)

        edge = None
        if settings.gateways.edge is not None:
            edge = EdgeKeeper(
                room.engine,
                identity,
                settings.gateways,
                settings.gateways.edge,
                gateway_owner(),
                lambda: runner.routes(workloads.wanted) if workloads.has_looked else None,
            )

        async def look_beside() -> None:
            faults = {"engine": workloads.engine_fault, "edge": edge.fault if edge is not None else None}
            for where, fault in (faults | guard.faults).items():
                monitor.fault(where, fault)

        port = await stack.enter_async_context(_listening(settings, service, certificates.server.context))
        await stack.enter_async_context(telling(settings.metrics, health, metrics.registry))
        stop = stop_on_signals()
        watchdog.ready(f"provider {provider}")
        log.info("agent started", provider=provider, exchange=market.exchange, port=port, operator=operator)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(workloads.run(stop))
            if edge is not None:
                tasks.create_task(edge.run(stop))
            tasks.create_task(guard.run(stop))
            tasks.create_task(peering.run(stop))
            tasks.create_task(keep_tidy(images, stop))
            tasks.create_task(keep_certificates(root, certificates.renewable, metrics, monitor, stop))
            for measure in (gauges.measure, dispatch.look_at_coin, look_beside, here.resolve):
                tasks.create_task(keep_measuring(measure, stop))
            feed = HeadFeed(settings.ws_url) if settings.ws_url else None

            async def cycle() -> Block:
                return await market_loop.cycle(workloads.reset, workloads.held)

            await run_cycles(rpc, stop, cycle, monitor, feed, again=again)
            workloads.wake()
        log.info("agent stopped", provider=provider)


def _unix_time() -> float:
    return datetime.now(UTC).timestamp()


async def _warn_of_short_period(rpc: Rpc, market: Market, settings: Settings) -> None:
    """Say it at the start if it pays to keep this provider's confirmations out of blocks."""
    decimals = market.parameters.token_decimals
    money = Money(market.token_symbol, decimals, market.seconds_per_block)
    exposed = exposure(0, units.parse_amount(settings.collateral_cap, decimals), settings, money)
    base, limit = await base_fee(rpc)
    for finding in judge_period(exposed, settings, money, market.parameters, Gas(limit, base)):
        if finding.level is Level.WARNING:
            log.warning("period too short for the collateral", reason=finding.what, remedy=finding.remedy)


@asynccontextmanager
async def _listening(settings: Settings, application: web.Application, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve tenants and other agents; yields the port."""
    host, port = settings.listen_host, settings.listen_port
    async with AsyncExitStack() as stack:
        try:
            server = serving(application, host, port, context, ConnectionLimits())
            taken = await stack.enter_async_context(server)
        except OSError as error:
            raise SettingsError(
                f"{settings.file}: listen: {host}:{port}: {error.strerror}: end what uses it, or choose another"
            ) from error
        yield taken


def _offer(settings: Settings, market: Market) -> Offer:
    """Return what this provider sells, in the chain's units."""
    claim_after_blocks = max(1, units.to_blocks(settings.claim_after_seconds, market.seconds_per_block))
    return Offer(
        settings.capacity,
        price_policy(settings, market),
        claim_after_blocks,
        admission(settings, market),
        _wei_at_risk(settings, market),
    )


def _wei_at_risk(settings: Settings, market: Market) -> Fraction | None:
    if settings.coins_per_token is None:
        return None
    rate = units.wei_per_ledger_unit(settings.coins_per_token, market.parameters.token_decimals)
    return settings.value_at_risk * rate

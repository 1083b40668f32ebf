"""The program `moorage-provider`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiodocker
import click
import structlog

from moorage import log as logs
from moorage import pki, units
from moorage.chain.contracts import Registry
from moorage.chain.market import Market, check_market, load_market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.sender import Sender
from moorage.keys import KeyFileError, load_key
from moorage.request_auth import Domain
from moorage.signals import stop_on_signals
from moorage.types import Address
from provider_agent.core.pricing import PricePolicy
from provider_agent.core.workloads import Identity
from provider_agent.registration import check_registration, fund, load_registration, register, root_file
from provider_agent.settings import Settings, SettingsError, load_settings
from provider_agent.shell.connection_guard import ConnectionLimits
from provider_agent.shell.docker_engine import DockerEngine, DockerOptions
from provider_agent.shell.engine import EngineError
from provider_agent.shell.https_server import serving
from provider_agent.shell.lease_access import LeaseGate
from provider_agent.shell.lease_directory import ChainLeases
from provider_agent.shell.loop import MarketLoop, Offer
from provider_agent.shell.manifest_service import ManifestService
from provider_agent.shell.manifest_store import ManifestFiles
from provider_agent.shell.server_certificate import ServerCertificate
from provider_agent.shell.workload_loop import WorkloadLoop
from provider_agent.shell.workload_runner import WorkloadRunner

RENEWAL_CHECK_SECONDS = 600
CONFIG = click.option(
    "--config", "-c", "config_file", type=click.Path(path_type=Path), default="provider.toml", show_default=True
)

log = structlog.get_logger(__name__)


@click.group()
def program() -> None:
    """Lease this machine's capacity: bid, run tenants' workloads, confirm, get paid."""


@program.command(name="register")
@CONFIG
@click.option("--owner-key-file", type=click.Path(path_type=Path), required=True, help="The cold key; not kept.")
@click.option("--owner-password-file", type=click.Path(path_type=Path))
@click.option("--deposit", default="0", show_default=True, help="Tokens of the owner to pay in as collateral.")
def register_command(config_file: Path, owner_key_file: Path, owner_password_file: Path | None, deposit: str) -> None:
    """Register this datacenter on chain under the owner's key."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        owner = load_key(owner_key_file, owner_password_file)
        operator = load_key(settings.operator_key_file, settings.operator_password_file)
        async with Rpc(settings.rpc_url) as rpc:
            await check_market(rpc, market)
            registration = await register(rpc, market, settings, owner, Address(operator.address), deposit)
        click.echo(f"provider {registration.provider}: owner {owner.address}, operator {operator.address}")

    asyncio.run(act())


@program.command(name="fund")
@CONFIG
@click.option("--key-file", type=click.Path(path_type=Path), required=True, help="Whose tokens are paid in.")
@click.option("--password-file", type=click.Path(path_type=Path))
@click.argument("amount")
def fund_command(config_file: Path, key_file: Path, password_file: Path | None, amount: str) -> None:
    """Pay AMOUNT tokens into this provider's account, as collateral for more bids."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        registration = load_registration(settings, market)
        async with Rpc(settings.rpc_url) as rpc:
            await check_market(rpc, market)
            sender = Sender(rpc, load_key(key_file, password_file), market.chain_id)
            await fund(rpc, market, sender, registration.provider, amount)
        click.echo(f"provider {registration.provider}: {amount} {market.token_symbol} paid in")

    asyncio.run(act())


@program.command()
@CONFIG
def run(config_file: Path) -> None:
    """Bid, run workloads and confirm leases until stopped. Stopping leaves the workloads running."""
    asyncio.run(serve(load_settings(config_file)))


async def serve(settings: Settings) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    market = load_market(settings.market_file)
    operator = load_key(settings.operator_key_file, settings.operator_password_file)
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(Rpc(settings.rpc_url))
        await check_market(rpc, market)
        provider = (await check_registration(rpc, market, settings, Address(operator.address))).provider
        docker = await stack.enter_async_context(_docker(settings))
        identity = Identity(market.chain_id, market.exchange, provider)
        engine = DockerEngine(docker, identity.labels, DockerOptions(publish_address=settings.publish_address))
        await engine.observe()  # no engine: say so now, not at the first lease
        reader = MarketReader(rpc, market, provider)
        sender = Sender(rpc, operator, market.chain_id)
        market_loop = MarketLoop(rpc, reader, Registry(rpc, market), sender, provider, _offer(settings, market))
        store = ManifestFiles(settings.data_dir / "manifests")
        runner = WorkloadRunner(engine, settings.public_host, lambda: datetime.now(UTC).timestamp())
        workloads = WorkloadLoop(rpc, reader.exchange, identity, runner, store, lambda: market_loop.newest)
        gate = LeaseGate(provider, Domain(market.chain_id, market.exchange), ChainLeases(reader))
        service = ManifestService(gate, store, workloads, lambda _: workloads.wake())
        root = pki.load(root_file(settings))
        certificate = ServerCertificate(root, settings.data_dir / "server.pem", datetime.now(UTC))
        limits = ConnectionLimits()
        port = await stack.enter_async_context(
            serving(service.application(), settings.listen_host, settings.listen_port, certificate.context, limits)
        )
        stop = stop_on_signals()
        log.info("agent started", provider=provider, exchange=market.exchange, port=port, operator=operator.address)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(workloads.run(stop))
            tasks.create_task(_keep_fresh(certificate, stop))
            await market_loop.run(stop, lambda: workloads.reset, workloads.wake)
            workloads.wake()
        log.info("agent stopped", provider=provider)


def _docker(settings: Settings) -> aiodocker.Docker:
    try:
        return aiodocker.Docker(url=settings.docker_url, api_version="v1.41")
    except (ValueError, AssertionError) as error:
        raise SettingsError(f"{settings.docker_url}: not the address of a Docker engine: {error}") from error


def _offer(settings: Settings, market: Market) -> Offer:
    """Turn hourly prices in tokens into ledger units per block."""
    token = units.ledger_units_per_token(market.parameters.token_decimals)
    per_block = token * market.seconds_per_block / units.SECONDS_PER_HOUR
    prices = settings.prices
    policy = PricePolicy(
        per_milli_cpu=prices.core * per_block / 1_000,
        per_memory_byte=prices.memory_gib * per_block / 2**30,
        per_disk_byte=prices.disk_gb * per_block / 10**9,
        minimum=max(1, int(prices.minimum * per_block)),
    )
    claim_after_blocks = max(1, units.to_blocks(settings.claim_after_seconds, market.seconds_per_block))
    return Offer(settings.capacity, policy, claim_after_blocks)


async def _keep_fresh(certificate: ServerCertificate, stop: asyncio.Event) -> None:
    """Renew the server's certificate in time."""
    while not stop.is_set():
        try:
            if certificate.renew_if_due(datetime.now(UTC)):
                log.info("server certificate renewed")
        except (pki.PkiError, OSError) as error:
            log.error("server certificate not renewed", reason=str(error))
        try:
            await asyncio.wait_for(stop.wait(), RENEWAL_CHECK_SECONDS)
        except TimeoutError:
            continue


def main() -> None:
    """Run the program; every expected failure is one line and exit code 2."""
    logs.configure()
    try:
        program()
    except (ChainError, EngineError, KeyFileError, SettingsError, pki.PkiError, OSError) as error:
        print(f"moorage-provider: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()

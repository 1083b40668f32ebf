"""The checks of an agent: gathers what has to be known, and runs them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from moorage.chain.market import Market, load_market
from moorage.chain.rpc import ChainError, Rpc
from moorage.doctor.chain import (
    ask_endpoint,
    base_fee,
    check_clock,
    check_coin,
    check_contracts,
    check_finality,
    compare_endpoints,
)
from moorage.doctor.finding import Check, Finding, at_once, examine, failure, ok, warning
from moorage.doctor.host import check_data_dir, check_port, is_answering
from moorage.doctor.key import check_sending
from moorage.money import Money
from moorage.pki import PkiError
from moorage.snapshot import Block
from moorage.types import Address
from provider_agent.core.containers import Labels
from provider_agent.core.lease_names import Identity
from provider_agent.core.spending import wei_per_hour
from provider_agent.core.stuffing import Gas
from provider_agent.doctor_engine import check_capacity, check_engine, check_gateway_image
from provider_agent.doctor_isolation import check_isolation
from provider_agent.doctor_market import check_account, check_certificates, check_profile, exposure, judge_period
from provider_agent.doctor_places import check_edge, check_publish_address
from provider_agent.doctor_tunnels import check_tunnel_address
from provider_agent.offer import admission
from provider_agent.registration import RegistrationError, check_registration, load_registration
from provider_agent.settings import Settings, SettingsError
from provider_agent.shell.engine import EngineError, EngineUnavailable
from provider_agent.shell.engine_probe import has_image, probe
from provider_agent.status import Status, read_status

EXPECTED = (ChainError, EngineError, OSError, PkiError, SettingsError)
LEAST_HOURS = 72
PRECIOUS = ("root.pem", "provider.json")


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
        operator, key_findings = await check_sending(settings.sending, "the operator")
        findings += key_findings
        checks = _of_the_host(settings, market, clock)
        for node, endpoint in zip(nodes, endpoints, strict=True):
            if endpoint.head is not None:
                checks += _of_the_chain(node, market, settings, operator, endpoint.head, clock)
                break
        return findings + await examine(checks, EXPECTED)


def _of_the_host(settings: Settings, market: Market, clock: Callable[[], float]) -> list[Check]:
    async def look_at_engine() -> list[Finding]:
        try:
            facts = await probe(settings.docker_url)
        except EngineUnavailable as error:
            remedy = f"start Docker, let this user at it, or correct docker in {settings.file}"
            return [failure("docker", str(error), remedy)]
        image = settings.gateways.image
        is_there = await has_image(settings.docker_url, image)
        findings = [*check_engine(facts), *check_capacity(facts, settings.capacity)]
        findings += check_gateway_image(image, is_there, settings.file)
        return [*findings, *(await check_isolation(settings, facts, _owner(settings, market)) if is_there else ())]

    def look_at_policy() -> list[Finding]:
        admission(settings, market)
        return [ok("policy", "admission and prices can be used")]

    def look_at_certificates() -> list[Finding]:
        return check_certificates(settings, datetime.fromtimestamp(clock(), UTC))

    async def look_at_places() -> list[Finding]:
        if not settings.docker_url.startswith("unix://"):
            return []
        site, file = settings.gateways, str(settings.file)
        return [*check_publish_address(site, file), *await check_edge(site, file)]

    return [
        Check("docker", look_at_engine),
        Check("publish_address", look_at_places),
        Check("data_dir", at_once(lambda: check_data_dir(settings.data_dir, PRECIOUS))),
        Check("certificates", at_once(look_at_certificates)),
        Check("policy", at_once(look_at_policy)),
        Check("tunnels", lambda: check_tunnel_address(settings.gateways, str(settings.file))),
        Check("listen", lambda: _check_service(settings)),
        Check("metrics", lambda: check_port("metrics", settings.metrics)),
    ]


def _owner(settings: Settings, market: Market) -> Labels | None:
    try:
        return Identity(market.chain_id, market.exchange, load_registration(settings, market).provider).labels
    except RegistrationError:
        return None


def _of_the_chain(
    rpc: Rpc, market: Market, settings: Settings, operator: Address | None, head: Block, clock: Callable[[], float]
) -> list[Check]:
    checks = [
        Check("clock", at_once(lambda: check_clock(head, clock(), market))),
        Check("market", lambda: check_contracts(rpc, market)),
        Check("final blocks", lambda: check_finality(rpc)),
    ]
    if operator is None:
        return checks

    async def look_at_registration() -> list[Finding]:
        provider, _ = await check_registration(rpc, market, settings, operator)
        return [ok("registration", f"provider {provider}, with this operator and this root certificate")]

    async def look_at_account() -> list[Finding]:
        status = await read_status(rpc, market, settings)
        base, limit = await base_fee(rpc)
        money = Money(market.token_symbol, market.parameters.token_decimals, market.seconds_per_block)
        return [
            *check_profile(status.summary.provider, settings),
            *check_account(status.summary, settings, money),
            *judge_period(_exposed(status, settings, money), settings, money, market.parameters, Gas(limit, base)),
            *await check_coin(rpc, operator, _need(status, market, base), LEAST_HOURS),
        ]

    return [*checks, Check("registration", look_at_registration), Check("account", look_at_account)]


def _exposed(status: Status, settings: Settings, money: Money) -> int:
    summary = status.summary
    return exposure(summary.locked, summary.provider.collateral_cap, settings, money)


def _need(status: Status, market: Market, base_fee_wei: int) -> int:
    """Return what an hour costs; an agent without leases is going to have one."""
    leases = max(1, len(status.summary.leases))
    return wei_per_hour(leases, market.parameters.reconfirmation_period_blocks, market.seconds_per_block, base_fee_wei)


async def _check_service(settings: Settings) -> list[Finding]:
    """See whether tenants can reach the agent, as far as that can be seen from here."""
    findings = await check_port("listen", (settings.listen_host, settings.listen_port))
    if not any("answers" in finding.what for finding in findings):
        return findings
    host, _, port = settings.endpoint.removeprefix("https://").rpartition(":")
    if await is_answering(host.removeprefix("[").removesuffix("]"), int(port)):
        return [*findings, ok("endpoint", f"{settings.endpoint} can be reached from this machine")]
    remedy = "see that the address leads here and that firewalls let tenants in; some routers hide it from inside only"
    return [*findings, warning("endpoint", f"{settings.endpoint} can't be reached from this machine", remedy)]

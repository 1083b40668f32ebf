"""The checks of a tenant's machine and deployments: each says what is wrong, where, and what to do about it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from cli import wallet
from cli.core.view import DeploymentView
from cli.doctor_judgement import judge_file, judge_leases, judge_manifests, judge_purse, judge_records
from cli.environment import Environment
from cli.failures import Failure
from cli.options import Options
from cli.records import Records
from cli.session import Session, open_session
from cli.submission import NO_SALT, compiled_for
from moorage import units
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc, as_number
from moorage.deployment_file import DeploymentFileError, load
from moorage.doctor.agent import check_agent
from moorage.doctor.chain import ask_node, base_fee, check_clock, check_contracts, check_finality
from moorage.doctor.finding import Check, Finding, at_once, examine, failure, ok, warning
from moorage.doctor.host import check_data_dir
from moorage.doctor.key import check_library
from moorage.doctor.token import check_token
from moorage.doctor.work import judge_work, last_act
from moorage.keys import KeyFileError
from moorage.snapshot import Block
from moorage.types import Address, DeploymentState, OrderState, ProviderNumber
from moorage.waiting import due_blocks, oldest_due_blocks

EXPECTED = (ChainError, Failure, OSError)
NOT_EXAMINED = "not examined"


@dataclass(frozen=True, slots=True)
class Ground:
    """What checks stand on; None is what could not be had."""

    head: Block | None
    session: Session | None
    tenant: Address | None


async def diagnose(
    environment: Environment, options: Options, file: Path | None, clock: Callable[[], float]
) -> list[Finding]:
    """Run all checks that can be run, and say which can't.

    Args:
        file: the deployment file; None: none was named, and none is here.
        clock: the host's, in seconds since the epoch.
    """
    findings = [ok("python", platform.python_version()), *check_library()]
    async with AsyncExitStack() as stack:
        rpc = await stack.enter_async_context(Rpc(options.rpc_url))
        head, found = await ask_node(rpc)
        findings += found
        session, found = await _market(stack, options, head)
        findings += found
        tenant, found = _wallet(options)
        findings += found
        ground = Ground(head, session, tenant)
        findings += judge_missing(ground)
        return findings + await examine(_checks(environment, ground, file, clock), EXPECTED)


def judge_missing(ground: Ground) -> list[Finding]:
    """Return what cannot be examined without node, market or wallet."""
    if ground.session is None:
        reason = "without a market that answers"
        what = f"contracts, money, deployments, records, providers and facilitators, {reason}"
        return [warning(NOT_EXAMINED, what, "see the findings about node and market")]
    if ground.tenant is None:
        what = "money, deployments and records, without a wallet"
        return [warning(NOT_EXAMINED, what, "see the finding about the wallet")]
    return []


async def _market(stack: AsyncExitStack, options: Options, head: Block | None) -> tuple[Session | None, list[Finding]]:
    if head is None:
        return None, []
    try:
        session = await stack.enter_async_context(open_session(options))
    except ChainError as error:
        return None, [failure("market", str(error), "name the market's file with --market (MOORAGE_MARKET)")]
    return session, await check_contracts(session.rpc, session.market)


def _wallet(options: Options) -> tuple[Address | None, list[Finding]]:
    where = f"wallet {options.key_file or options.wallet_file}"
    try:
        address = wallet.address_of(options)
    except (Failure, KeyFileError) as error:
        what, _, remedy = str(error).removeprefix(f"{where.removeprefix('wallet ')}: ").partition(": ")
        return None, [failure(where, what, remedy or "name another one with --wallet (MOORAGE_WALLET)")]
    return address, [ok(where, f"{address}; only you may read it")]


def _checks(environment: Environment, ground: Ground, file: Path | None, clock: Callable[[], float]) -> list[Check]:
    state = environment.state_directory / "moorage"
    checks = [
        Check("deployment file", at_once(lambda: _file(ground.session, file))),
        Check("state", at_once(lambda: check_data_dir(state, (), "state"))),
    ]
    head, session, tenant = ground.head, ground.session, ground.tenant
    if head is None or session is None:
        return checks
    checks += [
        Check("clock", at_once(lambda: check_clock(head, clock(), session.market))),
        Check("final blocks", lambda: check_finality(session.rpc)),
        Check("market's work", lambda: _work(session, head)),
    ]
    if tenant is None:
        return checks
    return [
        *checks,
        Check("money", lambda: _purse(session, tenant)),
        Check("token", lambda: check_token(session.rpc, session.market, tenant)),
        Check("deployments", lambda: _deployments(environment, session, tenant)),
    ]


def _file(session: Session | None, file: Path | None) -> list[Finding]:
    try:
        spec = None if file is None else load(file)
        if spec is not None and session is not None:
            compiled_for(session, spec, NO_SALT)
    except DeploymentFileError as error:
        return judge_file(file, error.problems)
    return judge_file(file, ())


async def _purse(session: Session, tenant: Address) -> list[Finding]:
    coin_wei = as_number(await session.rpc.call("eth_getBalance", tenant, "latest"))
    base_units = await session.token.balance(None, tenant)
    (account,) = await session.exchange.accounts(None, [tenant])
    tokens = units.to_ledger_units(base_units, session.market.parameters.token_decimals)
    base_fee_wei, _ = await base_fee(session.rpc)
    return judge_purse(tenant, coin_wei, base_fee_wei, tokens, account.available, session.money)


async def _work(session: Session, head: Block) -> list[Finding]:
    snapshot = await MarketReader(session.rpc, session.market).snapshot()
    last = await last_act(session.rpc, session.market, head)
    return [judge_work(len(due_blocks(snapshot)), oldest_due_blocks(snapshot), last, snapshot.block, session.money)]


async def _deployments(environment: Environment, session: Session, tenant: Address) -> list[Finding]:
    views = await session.reader.of_tenant(tenant)
    live = [view for view in views if view.state is not DeploymentState.CLOSED]
    records = Records(environment.state_directory, session.market, tenant).all()
    agents = [_agent_check(session, provider) for provider in sorted(set(_providers(live)))]
    return [
        *judge_records(views, records),
        *judge_manifests(live, records),
        *judge_leases(live, session.money),
        *await examine(agents, EXPECTED),
    ]


def _agent_check(session: Session, provider: ProviderNumber) -> Check:
    return Check(f"agent of provider {provider}", lambda: check_agent(session.rpc, session.market, provider))


def _providers(views: list[DeploymentView]) -> list[ProviderNumber]:
    """Return the providers of active leases."""
    leases = [attempt for view in views for attempt in view.current if attempt.state is OrderState.LEASE_ACTIVE]
    return [attempt.provider for attempt in leases if attempt.provider is not None]

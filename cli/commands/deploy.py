"""`moorage deploy`: from a deployment file to workloads that run, and on as long as somebody watches."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from cli import wallet
from cli.agents import Interpreter
from cli.core.order_plan import OrderPlan, TooLong, check_span, describe_plan, plan_order
from cli.core.story import Line
from cli.core.view import full
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.funding import check_funds
from cli.options import DEFAULT_FILE, Format, Options, market_options, path_option, refuse_unit
from cli.output import ObjectScreen, Screen, note, open_screen, say
from cli.records import Record, Records
from cli.selection import by_file
from cli.session import Session, open_session
from cli.signers import TenantSigner
from cli.submission import is_same, manifest_salt, new_record, submission, submit
from cli.transacting import review
from cli.watch import Watch
from moorage import manifest, units
from moorage.chain.market import Market
from moorage.chain.rpc import NodeUnavailable
from moorage.deployment_file import CompiledDeployment, DeploymentSpec, compile, load
from moorage.request_auth import Domain
from moorage.types import Address, DeploymentState


@dataclass(frozen=True, slots=True)
class Choice:
    """What deploy is about to do."""

    record: Record
    compiled: CompiledDeployment
    is_live: bool
    """Whether it is on chain already, so that it is only followed."""


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@click.option(
    "--fund", metavar="TIME", default="24h", show_default=True, help="How long to prepay, at the maximum price."
)
@click.option("--detach", "is_detached", is_flag=True, help="End once all workloads run.")
@click.option("--new", "is_new", is_flag=True, help="Make another deployment of a file that is deployed already.")
@market_options(asks=True)
def command(environment: Environment, options: Options, file: Path, fund: str, is_detached: bool, is_new: bool) -> None:
    """Order what a file asks for, deliver it to the providers that win, and watch over it.

    Interrupting it leaves the deployment as it is; the same command takes it up again.
    """
    try:
        fund_seconds = units.parse_duration(fund)
    except units.UnitError as error:
        raise refuse_unit("--fund", error) from error
    environment.run(_deploy(environment, options, file, fund_seconds, is_detached, is_new))


async def _deploy(
    environment: Environment, options: Options, file: Path, fund_seconds: int, is_detached: bool, is_new: bool
) -> None:
    spec = load(file)
    async with (
        open_session(options) as session,
        wallet.open_signer(environment, options, session.market) as signer,
    ):
        tenant = wallet.address_of(options)
        records = Records(environment.state_directory, session.market, tenant)
        with ExitStack() as locked:
            locked.enter_context(records.lock())
            choice = await _choose(session, records, tenant, file, spec, is_new)
            plan = None
            if not choice.is_live:
                plan = await _plan(options, session, tenant, choice, fund_seconds)
                if not await _agree(environment, options, session, signer, choice, plan):
                    return
            await signer.unlock()
            with open_screen(environment, options.output) as screen:
                if plan is not None:
                    await _submit(session, signer, records, choice, plan, screen)
                locked.close()
                try:
                    await _follow(environment, session, signer, choice.record, screen, is_detached)
                except asyncio.CancelledError:
                    raise Failure(ExitStatus.ABORTED, _farewell(choice.record, file)) from None


def _farewell(record: Record, file: Path) -> str:
    return (
        f"interrupted, deployment {full(record.deployment)} lives on: "
        f"`moorage deploy -f {file}` takes it up again, `moorage status -f {file}` shows it, "
        f"`moorage delete -f {file}` ends it"
    )


async def _choose(
    session: Session, records: Records, tenant: Address, file: Path, spec: DeploymentSpec, is_new: bool
) -> Choice:
    """Return the live deployment of the file, one that was recorded but never arrived on chain, or a new one."""
    market = session.market
    live = [each for each in await by_file(session, records, file) if each.view.state is DeploymentState.ACTIVE]
    if live and not is_new:
        record = live[0].record
        assert record is not None
        compiled = _compiled(spec, market, manifest_salt(record))
        if not is_same(record, compiled):
            text = f"{file} has changed since deployment {full(record.deployment)} was made of it: "
            raise Failure(ExitStatus.REFUSED, f"{text}`moorage delete -f {file}` first, or --new for another one")
        note(f"taking up deployment {full(record.deployment)}")
        return Choice(record, compiled, True)
    unsent = None if is_new else await _unsent(session, records, file)
    if unsent is not None:
        compiled = _compiled(spec, market, manifest_salt(unsent))
        if is_same(unsent, compiled):
            note(f"deployment {full(unsent.deployment)} was prepared and has not arrived on chain: once more")
            return Choice(unsent, compiled, False)
    compiled = _compiled(spec, market, secrets.token_bytes(32))
    return Choice(new_record(session, tenant, file, compiled), compiled, False)


def _compiled(spec: DeploymentSpec, market: Market, salt: bytes) -> CompiledDeployment:
    decimals = market.parameters.token_decimals
    return compile(spec, seconds_per_block=market.seconds_per_block, salt=salt, token_decimals=decimals)


async def _unsent(session: Session, records: Records, file: Path) -> Record | None:
    for record in records.of_file(file):
        if await session.reader.view(record.deployment) is None:
            return record
    return None


async def _plan(options: Options, session: Session, tenant: Address, choice: Choice, fund_seconds: int) -> OrderPlan:
    """Return what is going to be ordered and paid, and show it."""
    market, money = session.market, session.money
    (account,) = await session.exchange.accounts(None, [tenant])
    fund_blocks = units.to_blocks(fund_seconds, market.seconds_per_block)
    try:
        check_span(choice.compiled.groups, market.parameters, fund_blocks, market.seconds_per_block)
    except TooLong as error:
        raise refuse_unit("--fund", error) from error
    plan = plan_order(choice.compiled.groups, market.parameters, fund_blocks, account.available)
    missing = units.to_ledger_units(plan.missing_base_units, market.parameters.token_decimals)
    if options.output is Format.TEXT:
        say(f"deployment of {choice.record.file}")
        say(f"market: exchange {market.exchange} on chain {market.chain_id} ({session.market_file})")
        say(f"tenant: {tenant}")
        for line in describe_plan(plan, money, missing):
            say(line)
    else:
        fields = {"total": money.number(plan.total), "paid_in": money.number(missing)}
        fields["max_price_per_hour"] = money.hourly_number(plan.max_charge_per_block)
        text = f"at most {money.per_hour(plan.max_charge_per_block)}"
        ObjectScreen(options.output).tell(Line(await session.reader.block_number(), "planned", text, fields))
    await check_funds(session, tenant, plan.missing_base_units)
    return plan


async def _agree(
    environment: Environment, options: Options, session: Session, signer: TenantSigner, choice: Choice, plan: OrderPlan
) -> bool:
    """Show what is going to be signed, and return whether it is to be sent now."""
    calls = [submission(session, choice.record, choice.compiled, plan)]
    if plan.missing_base_units:
        calls.insert(0, session.exchange.deposit(signer.address, plan.missing_base_units))
    return await review(environment, options, session, signer, calls, "Deploy?")


async def _submit(
    session: Session, signer: TenantSigner, records: Records, choice: Choice, plan: OrderPlan, screen: Screen
) -> None:
    try:
        await submit(session, signer, records, choice.record, choice.compiled, plan, screen)
    except NodeUnavailable as error:
        text = f"{error}: run the same command again, nothing is ordered twice"
        raise Failure(ExitStatus.CHAIN_UNAVAILABLE, text) from error
    except asyncio.CancelledError:
        text = "interrupted while it was submitted: run the same command again, nothing is ordered twice"
        raise Failure(ExitStatus.ABORTED, text) from None


async def _follow(
    environment: Environment,
    session: Session,
    signer: TenantSigner,
    record: Record,
    screen: Screen,
    is_detached: bool,
) -> None:
    agents = environment.connect_agents(Domain(session.market.chain_id, session.market.exchange), signer)
    watch = Watch(
        views=session.reader,
        asker=Interpreter(session.rpc, session.market, agents, record.manifest, environment.clock),
        screen=screen,
        money=session.money,
        version=manifest.version_of(record.manifest),
        clock=environment.clock,
        poll_seconds=environment.poll_seconds,
    )
    await watch.run(record.deployment, is_detached=is_detached)

"""`moorage manager`: let other keys act for a deployment, within limits, and see which may."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cli import wallet
from cli.core.permissions import (
    MAX_EXPIRY,
    SPENDING,
    NotAPermission,
    describe_manager,
    ever_named,
    parse_permissions,
    until,
    written,
)
from cli.core.view import DeploymentView, full
from cli.desk import Desk, open_desk
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import DEFAULT_FILE, Command, Format, Options, market_options, path_option, refuse_unit
from cli.output import emit, note, say, say_table, write
from cli.records import Records
from cli.selection import Whose, select_live
from cli.session import Session, open_session
from cli.transacting import transact, transactions_document
from moorage import units
from moorage.types import MAX_MONEY, Address, Manager, Permission

HEADER = ("MANAGER", "MAY", "UNTIL", "MAY SPEND")


@dataclass(frozen=True, slots=True)
class Which:
    """The deployment that is meant."""

    file: Path
    identifier: str | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What was typed of a manager's limits."""

    permissions: Permission
    expires_seconds: int
    spend_cap: str | None


def _of_deployment(command: Command) -> Command:
    file = path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
    identifier = click.option("--deployment", "identifier", metavar="ID", help="A deployment by its id.")
    return file(identifier(command))


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Let other keys act for a deployment, within limits, and see which may."""
    if context.invoked_subcommand is None:
        write(context.get_help())


@command.command("set")
@click.argument("manager", metavar="ADDRESS")
@click.option("--can", metavar="WORDS", required=True, help="What it may do: update, fund, scale, with commas between.")
@click.option("--expires", metavar="TIME", default="30d", show_default=True, help="For how long from now on.")
@click.option("--spend-cap", metavar="AMOUNT", help="Tokens of your account that it may spend; with fund and scale.")
@_of_deployment
@market_options(asks=True)
def set_command(
    environment: Environment,
    options: Options,
    manager: str,
    can: str,
    expires: str,
    spend_cap: str | None,
    file: Path,
    identifier: str | None,
) -> None:
    """Let a key act for a deployment, within limits.

    What it could do before is replaced. It can never withdraw, give the deployment up, or make other managers.
    """
    try:
        grant = Grant(parse_permissions(can), units.parse_duration(expires), spend_cap)
    except NotAPermission as error:
        raise Failure(ExitStatus.USAGE, f"--can: {error}") from None
    except units.UnitError as error:
        raise refuse_unit("--expires", error) from error
    if spend_cap is None and grant.permissions & SPENDING:
        raise Failure(ExitStatus.USAGE, f"--can {can} spends of your account: say how much with --spend-cap AMOUNT")
    environment.run(_set(environment, options, Which(file, identifier), manager, grant))


@command.command("revoke")
@click.argument("manager", metavar="ADDRESS")
@_of_deployment
@market_options(asks=True)
def revoke_command(
    environment: Environment, options: Options, manager: str, file: Path, identifier: str | None
) -> None:
    """Take all rights from a manager, from the next block on."""
    environment.run(_set(environment, options, Which(file, identifier), manager, None))


@command.command("list")
@_of_deployment
@market_options()
def list_command(environment: Environment, options: Options, file: Path, identifier: str | None) -> None:
    """Show which keys may act, how long, and what they may spend still."""
    environment.run(_list(environment, options, Which(file, identifier)))


async def _set(environment: Environment, options: Options, which: Which, typed: str, grant: Grant | None) -> None:
    async with open_desk(environment, options) as desk:
        session = desk.session
        address = wallet.parse_address(typed, "ADDRESS")
        await settle(desk)
        view = await _selected(session, desk.records, which, Whose.OWN)
        _check_key(view, address)
        (before,) = await session.exchange.managers(None, view.id, [address])
        after = None if grant is None else _manager(session, view, grant)
        if before is None and after is None:
            note(f"{address} is no manager of deployment {full(view.id)}: nothing to revoke")
            if options.output is not Format.TEXT:
                emit({"deployment": full(view.id), **_no_rights(address), "transactions": []}, options.output)
            return
        await _change(desk, view, address, before, after)


async def _change(
    desk: Desk, view: DeploymentView, address: Address, before: Manager | None, after: Manager | None
) -> None:
    options, session = desk.options, desk.session
    now, then = (describe_manager(each, view, session.money) for each in (before, after))
    if options.output is Format.TEXT:
        say(f"deployment  {full(view.id)}")
        say(f"manager     {address}")
        say(f"may now     {now}")
        say(f"may then    {then}")
    call = session.exchange.set_manager(view.id, address, after)
    question = f"Let {address} do this?" if after else f"Take this from {address}?"
    sent = await transact(desk, [call], question)
    if options.is_dry_run and options.output is not Format.TEXT:
        return  # it is shown already
    if options.output is not Format.TEXT:
        rights = _document(address, after, session) if after else _no_rights(address)
        emit({"deployment": full(view.id), **rights, "transactions": transactions_document(sent)}, options.output)
    elif sent:
        say(f"block {sent[0].block_number}  {address} may do {then}")


def _check_key(view: DeploymentView, address: Address) -> None:
    if address == view.tenant:
        raise Failure(ExitStatus.USAGE, f"{address} is the tenant of deployment {full(view.id)} itself: it may do all")
    if int(address, 16) == 0:
        raise Failure(ExitStatus.USAGE, f"{address}: nobody has this address")


def _manager(session: Session, view: DeploymentView, grant: Grant) -> Manager:
    """Return what was typed as the exchange has it.

    Raises:
        Failure: it is more than the exchange takes, or nothing.
    """
    decimals = session.market.parameters.token_decimals
    try:
        cap = units.parse_amount(grant.spend_cap or "0", decimals)
    except units.UnitError as error:
        raise refuse_unit("--spend-cap", error) from error
    if cap > MAX_MONEY:
        raise Failure(ExitStatus.USAGE, f"--spend-cap: at most {session.money.amount(MAX_MONEY)}")
    blocks = units.to_blocks(grant.expires_seconds, session.market.seconds_per_block)
    expires = view.block_number + blocks
    if not blocks or expires > MAX_EXPIRY:
        most = session.money.span(MAX_EXPIRY - view.block_number)
        raise Failure(ExitStatus.USAGE, f"--expires: at least one block from now, at most {most}")
    return Manager(grant.permissions, expires, cap)


async def _list(environment: Environment, options: Options, which: Which) -> None:
    async with open_session(options) as session:
        records = Records(environment.state_directory, session.market, wallet.address_of(options))
        view = await _selected(session, records, which, Whose.MANAGED)
        keys = ever_named(view.story)
        found = zip(keys, await session.exchange.managers(None, view.id, keys), strict=True)
    managers = [(key, manager) for key, manager in found if manager is not None]
    if options.output is not Format.TEXT:
        emit([_document(key, manager, session) for key, manager in managers], options.output)
    elif not managers:
        say(f"deployment {full(view.id)} has no managers")
    else:
        say_table(HEADER, [_row(key, manager, view, session) for key, manager in managers])


def _row(key: Address, manager: Manager, view: DeploymentView, session: Session) -> tuple[str, ...]:
    spendable = session.money.amount(manager.spendable)
    term = until(manager, view, session.money).removeprefix("until ")
    return key, written(manager.permissions), term, spendable


def _document(key: Address, manager: Manager, session: Session) -> dict[str, Any]:
    return {
        "manager": key,
        "can": written(manager.permissions).split(","),
        "expires_block": manager.expires_block,
        "spendable": session.money.number(manager.spendable),
    }


def _no_rights(key: Address) -> dict[str, Any]:
    return {"manager": key, "can": [], "expires_block": None, "spendable": "0"}


async def _selected(session: Session, records: Records, which: Which, whose: Whose) -> DeploymentView:
    return (await select_live(session, records, records.tenant, which.file, which.identifier, whose)).view

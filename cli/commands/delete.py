"""`moorage delete`: give a deployment up and wait until all money is where it belongs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli.core.closing import Done, EndDeployment, FinishLeases, GiveUp, Settlement, Wait, next_step, settlement
from cli.core.costs import describe_ends
from cli.core.report import heading, headline, rows
from cli.core.story import Line, tell
from cli.core.view import DeploymentView, full
from cli.desk import Desk, open_desk
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import DEFAULT_FILE, Format, Options, market_options, path_option
from cli.output import ObjectScreen, Screen, note, say
from cli.review import agree_to_next, review
from cli.selection import Selected, select
from cli.session import Session
from cli.transacting import attempt
from moorage.chain.contracts import Call
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import Refused
from moorage.money import Money
from moorage.types import DeploymentState

RETRY_SECONDS = 2.0


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@click.option("--deployment", "identifier", metavar="ID", help="A deployment by its id, in place of the file.")
@click.option("--detach", "is_detached", is_flag=True, help="Do not wait for the providers.")
@market_options(asks=True)
def command(environment: Environment, options: Options, file: Path, identifier: str | None, is_detached: bool) -> None:
    """Give a deployment up: its orders and leases end, and what was not used comes back."""
    environment.run(_delete(environment, options, file, identifier, is_detached))


async def _delete(
    environment: Environment, options: Options, file: Path, identifier: str | None, is_detached: bool
) -> None:
    async with open_desk(environment, options) as desk:
        session, tenant = desk.session, desk.signer.address
        selected = await select(session, desk.records, tenant, file, identifier)
        if selected is None:
            text = f"{file} has no live deployment of wallet {tenant}: nothing to delete"
            note(text)
            if options.output is not Format.TEXT:
                ObjectScreen(options.output).tell(Line(await session.reader.block_number(), "nothing", text))
            return
        if selected.view.state is not DeploymentState.CLOSED:
            if not await _agree(desk, selected.view):
                return
            selected = await _close(desk, selected, is_detached)
        if selected.view.state is DeploymentState.CLOSED:
            desk.records.remove(selected.view.id)
        _show_settlement(options, session.money, selected.view)


async def _agree(desk: Desk, view: DeploymentView) -> bool:
    """Return whether to go on; of a deployment that is closing each step is shown when it is due."""
    options, session = desk.options, desk.session
    call = _call(session, view)
    if options.is_sending and (view.state is not DeploymentState.ACTIVE or call is None):
        await settle(desk)
        return True
    if call is None:
        note(f"deployment {full(view.id)} is {view.state.value}: nothing is to be signed for it now")
        return False
    if options.output is Format.TEXT:
        say(heading(view))
        for row in rows(view, {}, session.money):
            say("  ".join(part for part in (row.group, row.state, row.price, row.detail) if part))
    desk.outgoing.known |= describe_ends(view, session.money)
    return await review(desk, [call], f"Delete deployment {full(view.id)}?")


async def _close(desk: Desk, selected: Selected, is_detached: bool) -> Selected:
    told = {(line.block_number, line.text) for line in tell(selected.view, desk.session.money)}
    view = selected.view
    with desk.open_screen() as screen:
        try:
            while view.state is not DeploymentState.CLOSED:
                view = await _advance(desk, screen, view, told)
                if is_detached and not isinstance(next_step(view), GiveUp):
                    break
                await asyncio.sleep(desk.environment.poll_seconds)
        except asyncio.CancelledError:
            text = f"interrupted: run `moorage delete --deployment {full(view.id)}` again to see it to its end"
            raise Failure(ExitStatus.ABORTED, text) from None
    return Selected(view, selected.record)


async def _advance(desk: Desk, screen: Screen, view: DeploymentView, told: set[tuple[int, str]]) -> DeploymentView:
    """Do what is due next, and return the deployment as it is afterwards."""
    session = desk.session
    try:
        refusal = await _act(desk, view)
        newer = await session.reader.view(view.id)
    except NodeUnavailable as error:
        _tell_once(screen, Line(view.block_number, "node", f"{error}; waiting"), told)
        await asyncio.sleep(RETRY_SECONDS)
        return view
    if newer is None:
        return view  # a reorganisation has taken it back for now
    if refusal is not None and isinstance(next_step(newer), GiveUp):
        raise Failure(ExitStatus.REFUSED, refusal)
    for line in tell(newer, session.money):
        _tell_once(screen, line, told)
    match next_step(newer):
        case Wait(reason):
            _tell_once(screen, Line(newer.block_number, "waiting", reason), told, (0, reason))
        case _:
            pass
    screen.show(headline(newer, session.money), rows(newer, {}, session.money))
    return newer


async def _act(desk: Desk, view: DeploymentView) -> str | None:
    """Send what is due, if anything; return why it was refused. Somebody else may have done it before."""
    call = _call(desk.session, view)
    if call is None:
        return None
    desk.outgoing.known |= describe_ends(view, desk.session.money)
    await agree_to_next(desk, call)
    outcome = await attempt(desk, call)
    return f"{call.description}: {outcome.reason}" if isinstance(outcome, Refused) else None


def _call(session: Session, view: DeploymentView) -> Call | None:
    match next_step(view):
        case GiveUp(keys):
            return session.exchange.close_deployment(view.id, keys)
        case FinishLeases(keys):
            return session.exchange.finish_leases(keys)
        case EndDeployment():
            return session.exchange.deployment_closed([view.id])
        case Wait() | Done():
            return None


def _tell_once(screen: Screen, line: Line, told: set[tuple[int, str]], identity: tuple[int, str] | None = None) -> None:
    key = identity or (line.block_number, line.text)
    if key not in told:
        told.add(key)
        screen.tell(line)


def _show_settlement(options: Options, money: Money, view: DeploymentView) -> None:
    result = settlement(view)
    if options.output is not Format.TEXT:
        ObjectScreen(options.output).tell(
            Line(view.block_number, "settlement", view.state.value, _fields(result, money))
        )
        return
    say(f"deployment {full(view.id)} is {view.state.value}")
    say(f"  put in                {money.amount(result.put_in)}")
    if result.collateral_received:
        say(f"  collateral received   {money.amount(result.collateral_received)}")
    say(f"  paid to providers     {money.amount(result.paid)}")
    say(f"  tips                  {money.amount(result.tips)}")
    say(f"  came back             {money.amount(result.came_back)} to your account on the exchange")


def _fields(result: Settlement, money: Money) -> dict[str, str | int | None]:
    return {
        "put_in": money.number(result.put_in),
        "collateral_received": money.number(result.collateral_received),
        "paid": money.number(result.paid),
        "tips": money.number(result.tips),
        "came_back": money.number(result.came_back),
    }

"""`moorage status`: how one deployment is, on chain and by its providers' agents."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from cli import wallet
from cli.agents import Interpreter
from cli.core.agents import ALL_DONE, NOTHING_KNOWN, Knowledge, is_all_done, learn, next_steps
from cli.core.hints import hints
from cli.core.permissions import describe_manager
from cli.core.report import document, heading, rows
from cli.core.story import tell
from cli.core.view import DeploymentView
from cli.environment import Environment
from cli.failures import Failure
from cli.options import DEFAULT_FILE, Format, Options, market_options, path_option
from cli.output import as_text, emit, note, say, show_rows
from cli.records import Records
from cli.selection import Whose, select_live
from cli.session import Session, open_session
from moorage.keys import KeyFileError
from moorage.request_auth import Domain
from moorage.types import OrderId, OrderState, Version

NO_MANIFEST = Version(bytes(32))
"""Nothing is delivered by looking."""


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@click.option("--deployment", "identifier", metavar="ID", help="A deployment by its id, in place of the file.")
@click.option("-v", "--verbose", "is_verbose", is_flag=True, help="With its history.")
@market_options()
def command(environment: Environment, options: Options, file: Path, identifier: str | None, is_verbose: bool) -> None:
    """Show how a deployment is: leases, prices, how long it is paid for, workloads and their addresses."""
    environment.run(_status(environment, options, file, identifier, is_verbose))


async def _status(
    environment: Environment, options: Options, file: Path, identifier: str | None, is_verbose: bool
) -> None:
    async with open_session(options) as session:
        tenant = wallet.address_of(options)
        records = Records(environment.state_directory, session.market, tenant)
        selected = await select_live(session, records, tenant, file, identifier, Whose.MANAGED)
        if selected.manager is not None:
            rights = describe_manager(selected.manager, selected.view, session.money)
            note(f"deployment of tenant {selected.view.tenant}; wallet {tenant} is a manager: {rights}")
        knowledge = await _ask_agents(environment, options, session, selected.view)
    view, money = selected.view, session.money
    history = tell(view, money, is_verbose=True) if is_verbose else ()
    if options.output is not Format.TEXT:
        events = [{"block": line.block_number, "event": line.event, "text": line.text} for line in history]
        emit({**document(view, knowledge, money), **({"history": events} if is_verbose else {})}, options.output)
        return
    show_rows(environment, heading(view), rows(view, knowledge, money))
    for hint in hints(view, money):
        say(f"note: {hint.text}")
    if is_all_done(view, knowledge):
        say(f"note: {ALL_DONE}")
    for told in history:
        say(as_text(told))


async def _ask_agents(
    environment: Environment, options: Options, session: Session, view: DeploymentView
) -> dict[OrderId, Knowledge]:
    """Return what the agents of active leases say; without the key, nothing."""
    if all(attempt.state is not OrderState.LEASE_ACTIVE for attempt in view.current):
        return {}
    async with wallet.open_signer(environment, options, session.market) as signer:
        try:
            await signer.unlock()
        except (Failure, KeyFileError) as error:
            note(f"workloads are not shown, agents tell only who proves to be the tenant, or a manager: {error}")
            return {}
        domain = Domain(session.market.chain_id, session.market.exchange)
        agents = environment.connect_agents(domain, signer)
        interpreter = Interpreter(session.rpc, session.market, agents, None, environment.clock)
        steps = next_steps(view, NO_MANIFEST, {}, 0.0)
        answers = await asyncio.gather(*(interpreter.ask(step) for step in steps))
    pairs = zip(steps, answers, strict=True)
    return {step.lease: learn(NOTHING_KNOWN, answer, view.version, 0.0) for step, answer in pairs}

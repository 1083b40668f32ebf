"""`moorage exec`: a command in a workload, as if it ran here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from cli import wallet
from cli.agents import AgentBook
from cli.console import Console
from cli.conversation import converse
from cli.core.log_lines import Place, places
from cli.environment import Environment
from cli.failures import ExitStatus, Failure, explain
from cli.options import DEFAULT_FILE, Options, market_options, path_option
from cli.output import note
from cli.records import Records
from cli.selection import Selected, check_service, datacenters_of, select_live
from cli.session import open_session
from moorage.request_auth import Domain
from moorage.streams import MAX_REPLICA, ExecRequest
from moorage.types import OrderState


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to run where."""

    service: str
    command: tuple[str, ...]
    replica: int
    datacenter: str | None
    has_input: bool
    has_terminal: bool


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("service")
@click.argument("words", metavar="[--] COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.option("-i", "--interactive", "has_input", is_flag=True, help="Pass the standard input on.")
@click.option("-t", "--tty", "has_terminal", is_flag=True, help="Give the command this terminal, with all its keys.")
@click.option(
    "--replica", type=click.IntRange(0, MAX_REPLICA), default=0, show_default=True, metavar="N", help="Which replica."
)
@click.option("--datacenter", metavar="NAME", help="Where, if the service is in several.")
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@click.option("--deployment", "identifier", metavar="ID", help="A deployment by its id, in place of the file.")
@market_options(formats=())
@click.pass_context
def command(
    context: click.Context,
    environment: Environment,
    options: Options,
    service: str,
    words: tuple[str, ...],
    has_input: bool,
    has_terminal: bool,
    replica: int,
    datacenter: str | None,
    file: Path,
    identifier: str | None,
) -> None:
    """Run a command in a container of SERVICE. Its exit code is ours; 125 says that it did not run, or got lost."""
    line = words[1:] if words[:1] == ("--",) else words
    if not line:
        raise click.UsageError("no command: what is to run stands after the service", context)
    console = Console(*environment.streams)
    if has_terminal and not console.has_terminal:
        raise Failure(ExitStatus.USAGE, "--tty: input and output are no terminal here: leave -t away")
    wish = Wish(service, line, replica, datacenter, has_input, has_terminal)
    try:
        code = environment.run(_exec(environment, options, wish, console, file, identifier))
    except BrokenPipeError:
        raise
    except Exception as error:
        raise Failure(ExitStatus.NOT_RUN, explain(error).message) from error
    context.exit(code)


async def _exec(
    environment: Environment, options: Options, wish: Wish, console: Console, file: Path, identifier: str | None
) -> int:
    async with open_session(options) as session:
        tenant = wallet.address_of(options)
        records = Records(environment.state_directory, session.market, tenant)
        selected = await select_live(session, records, tenant, file, identifier)
        place = _place(selected, wish)
        agent = await AgentBook(session.rpc, session.market, environment.clock).find(place.provider)
        size = console.size() if wish.has_terminal else None
        request = ExecRequest(wish.service, wish.command, wish.replica, wish.has_input, size)
        async with wallet.open_signer(environment, options, session.market) as signer:
            await signer.unlock()
            agents = environment.connect_agents(Domain(session.market.chain_id, session.market.exchange), signer)
            async with agents.exec(agent, place.lease, request) as running:
                end = await converse(console, running, has_input=wish.has_input, has_terminal=wish.has_terminal)
    if end.code is None:
        raise Failure(ExitStatus.AGENT, f"the command was not run, or is lost: {end.reason or 'no reason given'}")
    if end.reason is not None:
        note(f"moorage: {end.reason}")
    return end.code


def _place(selected: Selected, wish: Wish) -> Place:
    """Return the lease in which the command is to run.

    Raises:
        Failure: there is none, or it is not said which.
    """
    check_service(selected, wish.service)
    active = {each.id for each in selected.view.current if each.state is OrderState.LEASE_ACTIVE}
    found = [each for each in places(selected.view) if each.lease in active]
    wanted = {wish.datacenter} if wish.datacenter is not None else datacenters_of(selected, wish.service)
    found = [each for each in found if not wanted or each.datacenter in wanted]
    if len(found) > 1:
        names = ", ".join(each.datacenter for each in found)
        raise Failure(ExitStatus.USAGE, f"service {wish.service} may be in {names}: choose one with --datacenter")
    if not found:
        where = f" in {wish.datacenter}" if wish.datacenter is not None else ""
        raise Failure(ExitStatus.ERROR, f"service {wish.service} has no active lease{where}: see `moorage status`")
    return found[0]

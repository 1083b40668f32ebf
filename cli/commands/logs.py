"""`moorage logs`: what the workloads of a deployment write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cli import wallet
from cli.agents import AgentBook
from cli.core.log_lines import Entry, document, places, shown, style, time_text
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.log_reader import LogReader
from cli.options import DEFAULT_FILE, Format, Options, market_options, path_option, refuse_unit
from cli.output import emit_line, note, write
from cli.records import Records
from cli.selection import check_service, select_live
from cli.session import open_session
from moorage import units
from moorage.request_auth import Domain
from moorage.streams import MAX_REPLICA, MAX_TAIL, LogQuery

USUAL_TAIL = 100
ALL = "all"
TAIL = re.compile(r"[0-9]{1,9}")


@click.command()
@click.argument("service", required=False)
@click.option("-f", "--follow", "is_following", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--replica", type=click.IntRange(0, MAX_REPLICA), metavar="N", help="Only this replica, from 0 on.")
@click.option("--tail", metavar="N|all", help="The last N lines of each replica.  [default: 100, or all with --since]")
@click.option("--since", metavar="TIME", help="Only what is younger than this: 10m, 2h, 1d.")
@click.option("--timestamps", "-t", "has_times", is_flag=True, help="With the time of each line.")
@path_option(
    "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file; -f is --follow here."
)
@click.option("--deployment", "identifier", metavar="ID", help="A deployment by its id, in place of the file.")
@market_options()
def command(
    environment: Environment,
    options: Options,
    service: str | None,
    is_following: bool,
    replica: int | None,
    tail: str | None,
    since: str | None,
    has_times: bool,
    file: Path,
    identifier: str | None,
) -> None:
    """Show what the workloads of a deployment write: all of them, or those of one SERVICE."""
    query = LogQuery(service, replica, _tail(tail, since), _since(since), is_following)
    environment.run(_logs(environment, options, query, has_times, file, identifier))


async def _logs(
    environment: Environment, options: Options, query: LogQuery, has_times: bool, file: Path, identifier: str | None
) -> None:
    async with open_session(options) as session:
        tenant = wallet.address_of(options)
        records = Records(environment.state_directory, session.market, tenant)
        selected = await select_live(session, records, tenant, file, identifier)
        if query.workload is not None:
            check_service(selected, query.workload)
        there = places(selected.view)
        if not there and not query.is_following:
            raise Failure(ExitStatus.ERROR, "nothing runs, as there is no lease: see `moorage status`")
        look = style(selected.view, query, has_time=has_times, has_colour=environment.is_terminal)

        def show(entry: Entry) -> None:
            if options.output is Format.TEXT:
                write(shown(entry, look))
            else:
                emit_line(document(entry), options.output)

        async with wallet.open_signer(environment, options, session.market) as signer:
            await signer.unlock()
            agents = environment.connect_agents(Domain(session.market.chain_id, session.market.exchange), signer)
            book = AgentBook(session.rpc, session.market, environment.clock)
            reader = LogReader(agents, book, query, show, note)
            await reader.read(there)
            if query.is_following:
                await reader.follow(selected.view.id, session.reader)
                note("the deployment has ended")
            elif reader.failures:
                raise Failure(ExitStatus.AGENT, "; ".join(reader.failures))


def _tail(text: str | None, since: str | None) -> int | None:
    if text == ALL or (text is None and since is not None):
        return None
    if text is None:
        return USUAL_TAIL
    if not TAIL.fullmatch(text) or int(text) > MAX_TAIL:
        raise Failure(ExitStatus.USAGE, f"--tail {text!r}: a number of lines up to {MAX_TAIL}, or {ALL}")
    return int(text)


def _since(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        seconds = units.parse_duration(text)
    except units.UnitError as error:
        raise refuse_unit("--since", error) from error
    now = datetime.now(UTC)
    return time_text(now - timedelta(seconds=min(seconds, now.timestamp())))

"""`moorage search`: which registered providers would bid for what a file asks for, and why others would not."""

from __future__ import annotations

from pathlib import Path

import click

from cli.core.candidates import judge
from cli.core.search_report import HEADER, registered, search_document, search_rows, sums
from cli.environment import Environment
from cli.options import DEFAULT_FILE, Format, Options, include_options, market_options, path_option
from cli.output import emit, say, say_table
from cli.providers import read_candidates
from cli.session import open_session
from cli.submission import NO_SALT, compiled_for
from moorage.deployment_file import DeploymentSpec, IncludeRules, load


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@market_options(has_wallet=False)
def command(environment: Environment, options: Options, file: Path, rules: IncludeRules) -> None:
    """Say of each registered provider whether it would bid and at which price, or why not: by what is on chain."""
    environment.run(_search(options, load(file, rules)))


async def _search(options: Options, spec: DeploymentSpec) -> None:
    async with open_session(options) as session:
        groups = compiled_for(session, spec, NO_SALT).groups
        block_number, candidates = await read_candidates(session)
    verdicts = judge(groups, candidates, session.market.parameters, session.money)
    if options.output is not Format.TEXT:
        emit(search_document(block_number, verdicts, session.money), options.output)
        return
    say(registered(len(candidates), block_number))
    if verdicts:
        say_table(HEADER, search_rows(verdicts, session.money))
    for line in sums(groups, verdicts):
        say(line)

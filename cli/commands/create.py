"""`moorage create`: order what a deployment file asks for, and no more."""

from __future__ import annotations

from pathlib import Path

import click

from cli.choosing import choose, loaded
from cli.core.story import Line
from cli.core.view import full
from cli.desk import open_desk
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.options import DEFAULT_FILE, Options, fund_option, include_options, market_options, parse_fund, path_option
from cli.ordering import order
from moorage.deployment_file import DeploymentSpec, IncludeRules


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@fund_option
@click.option("--new", "is_new", is_flag=True, help="Make another deployment of a file that is deployed already.")
@market_options(asks=True)
def command(
    environment: Environment, options: Options, file: Path, rules: IncludeRules, fund: str, is_new: bool
) -> None:
    """Order what a file asks for, and end: `moorage deploy` delivers the manifest and watches."""
    fund_seconds, spec = parse_fund(fund), loaded(file, rules)
    environment.run(_create(environment, options, file, spec, fund_seconds, is_new))


async def _create(
    environment: Environment, options: Options, file: Path, spec: DeploymentSpec, fund_seconds: int, is_new: bool
) -> None:
    async with open_desk(environment, options) as desk:
        with desk.records.lock():
            await settle(desk)
            choice = await choose(desk, file, spec, is_new=is_new)
            if not choice.is_live and not await order(desk, choice, fund_seconds, "Create?", is_brief=True):
                return
        identifier = full(choice.record.deployment)
        text = f"deployment {identifier} is on chain: `moorage deploy -f {file}` delivers its manifest"
        with desk.open_screen(is_brief=True) as screen:
            screen.tell(Line(await desk.session.reader.block_number(), "created", text, {"deployment": identifier}))

"""`moorage create`: order what a deployment file asks for, and no more."""

from __future__ import annotations

from pathlib import Path

import click

from cli import wallet
from cli.core.story import Line
from cli.core.view import full
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.options import DEFAULT_FILE, Options, fund_option, include_options, market_options, parse_fund, path_option
from cli.ordering import agree, choose, loaded, order, order_plan
from cli.output import open_screen
from cli.records import Records
from cli.session import open_session
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
    async with (
        open_session(options) as session,
        wallet.open_signer(environment, options, session.market) as signer,
    ):
        records = Records(environment.state_directory, session.market, signer.address)
        with records.lock(), open_screen(environment, options.output, is_brief=True) as screen:
            await settle(options, session, signer)
            choice = await choose(
                session, records, signer.address, file, spec, is_new=is_new, is_sending=options.is_sending
            )
            if not choice.is_live:
                plan = await order_plan(session, signer.address, choice.compiled.groups, fund_seconds)
                if not await agree(environment, options, session, signer, records, choice, plan, "Create?"):
                    return
                await order(session, signer, records, choice, plan, screen)
            identifier = full(choice.record.deployment)
            text = f"deployment {identifier} is on chain: `moorage deploy -f {file}` delivers its manifest"
            screen.tell(Line(await session.reader.block_number(), "created", text, {"deployment": identifier}))

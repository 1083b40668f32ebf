"""`moorage deploy`: from a deployment file to workloads that run, and on as long as somebody watches."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from cli import wallet
from cli.core.view import full
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.following import follow
from cli.options import DEFAULT_FILE, Options, fund_option, include_options, market_options, parse_fund, path_option
from cli.ordering import agree, choose, loaded, order, order_plan
from cli.output import note, open_screen
from cli.records import Records
from cli.session import open_session
from moorage.deployment_file import DeploymentSpec, IncludeRules


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@fund_option
@click.option("--detach", "is_detached", is_flag=True, help="End once all workloads run.")
@click.option("--new", "is_new", is_flag=True, help="Make another deployment of a file that is deployed already.")
@market_options(asks=True)
def command(
    environment: Environment,
    options: Options,
    file: Path,
    rules: IncludeRules,
    fund: str,
    is_detached: bool,
    is_new: bool,
) -> None:
    """Order what a file asks for, deliver it to the providers that win, and watch over it.

    Interrupting it leaves the deployment as it is; the same command takes it up again.
    """
    fund_seconds, spec = parse_fund(fund), loaded(file, rules)
    environment.run(_deploy(environment, options, file, spec, fund_seconds, is_detached, is_new))


async def _deploy(
    environment: Environment,
    options: Options,
    file: Path,
    spec: DeploymentSpec,
    fund_seconds: int,
    is_detached: bool,
    is_new: bool,
) -> None:
    async with (
        open_session(options) as session,
        wallet.open_signer(environment, options, session.market) as signer,
    ):
        records = Records(environment.state_directory, session.market, signer.address)
        with ExitStack() as locked:
            locked.enter_context(records.lock())
            await settle(options, session, signer)
            choice = await choose(
                session, records, signer.address, file, spec, is_new=is_new, is_sending=options.is_sending
            )
            plan = None
            if not choice.is_live:
                plan = await order_plan(session, signer.address, choice.compiled.groups, fund_seconds)
                if not await agree(environment, options, session, signer, records, choice, plan, "Deploy?"):
                    return
            elif not options.is_sending:
                note(f"deployment {full(choice.record.deployment)} is on chain already: nothing is to be signed for it")
                return
            await signer.unlock()
            with open_screen(environment, options.output) as screen:
                if plan is not None:
                    await order(session, signer, records, choice, plan, screen)
                locked.close()
                deployment, revision = choice.record.deployment, choice.revision
                await follow(
                    environment, session, signer, deployment, revision, screen, file=file, is_detached=is_detached
                )

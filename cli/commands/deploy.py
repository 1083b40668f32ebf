"""`moorage deploy`: from a deployment file to workloads that run, and on as long as somebody watches."""

from __future__ import annotations

from pathlib import Path

import click

from cli.choosing import Choice, choose, loaded
from cli.core.view import full
from cli.desk import Desk, open_desk
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.following import follow
from cli.options import DEFAULT_FILE, Options, fund_option, include_options, market_options, parse_fund, path_option
from cli.ordering import order
from cli.output import note
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
    async with open_desk(environment, options) as desk:
        with desk.records.lock():
            choice = await _ordered(desk, file, spec, fund_seconds, is_new)
        if choice is not None:
            await follow(desk, choice.record.deployment, choice.revision, file, is_detached=is_detached)


async def _ordered(desk: Desk, file: Path, spec: DeploymentSpec, fund_seconds: int, is_new: bool) -> Choice | None:
    """Return the deployment that is on chain now; None if nothing was to be sent."""
    await settle(desk)
    choice = await choose(desk, file, spec, is_new=is_new)
    if not choice.is_live:
        return choice if await order(desk, choice, fund_seconds, "Deploy?") else None
    if not desk.options.is_sending:
        note(f"deployment {full(choice.record.deployment)} is on chain already: nothing is to be signed for it")
        return None
    await desk.signer.unlock()
    return choice

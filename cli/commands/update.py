"""`moorage update`: bring a deployment to what its file says now."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from cli.choosing import live_deployment, loaded, without_replaced
from cli.core.view import full
from cli.desk import Desk, open_desk
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.following import follow
from cli.options import DEFAULT_FILE, Options, fund_option, include_options, market_options, parse_fund, path_option
from cli.selection import Selected, Whose, select
from cli.updating import Update, bring, prepare
from moorage.deployment_file import DeploymentSpec, IncludeRules
from moorage.types import DeploymentState


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@click.option("--deployment", "identifier", metavar="ID", help="Which deployment; somebody else's if you manage it.")
@fund_option
@click.option("--detach", "is_detached", is_flag=True, help="End once all workloads run.")
@market_options(asks=True)
def command(
    environment: Environment,
    options: Options,
    file: Path,
    rules: IncludeRules,
    identifier: str | None,
    fund: str,
    is_detached: bool,
) -> None:
    """Bring a deployment to what its file says now: a new version for the same leases, groups added and removed.

    Interrupting it is safe; the same command goes on.
    """
    fund_seconds, spec = parse_fund(fund), loaded(file, rules)
    environment.run(_update(environment, options, file, spec, identifier, fund_seconds, is_detached))


async def _update(
    environment: Environment,
    options: Options,
    file: Path,
    spec: DeploymentSpec,
    identifier: str | None,
    fund_seconds: int,
    is_detached: bool,
) -> None:
    async with open_desk(environment, options) as desk:
        with desk.records.lock():
            update = await _updated(desk, file, spec, identifier, fund_seconds)
        if update is not None:
            view = update.view
            await follow(
                desk,
                view.id,
                update.revision,
                file,
                is_detached=is_detached,
                since_block=view.block_number + 1,
                is_manager=desk.signer.address != view.tenant,
            )


async def _updated(
    desk: Desk, file: Path, spec: DeploymentSpec, identifier: str | None, fund_seconds: int
) -> Update | None:
    """Return what the deployment was brought to; None if nothing was to be sent."""
    await settle(desk)
    selected = await _selected(desk, file, identifier)
    records = desk.records.of(selected.view.tenant)
    with nullcontext() if records is desk.records else records.lock():
        update = prepare(desk.session, selected, spec)
        return update if await bring(replace(desk, records=records), update, file, fund_seconds) else None


async def _selected(desk: Desk, file: Path, identifier: str | None) -> Selected:
    """Return the deployment that is to be updated.

    Raises:
        Failure: there is none that lives.
        NodeUnavailable: the node does not answer.
    """
    session, records = desk.session, desk.records
    if identifier is None:
        selected = await live_deployment(session, records, file, Whose.MANAGED)
    else:
        selected = await select(session, records, desk.signer.address, file, identifier, Whose.MANAGED)
    if selected is None:
        raise Failure(ExitStatus.ERROR, f"{file} is not deployed: `moorage deploy -f {file}` does that")
    if selected.view.state is not DeploymentState.ACTIVE:
        text = f"deployment {full(selected.view.id)} is {selected.view.state.value}: it cannot be updated any more"
        raise Failure(ExitStatus.REFUSED, f"{text}, `moorage deploy -f {file}` orders anew")
    if selected.record is None:
        return selected
    return replace(selected, record=await without_replaced(session, selected.record, selected.view))

"""`moorage update`: bring a deployment to what its file says now."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from cli import wallet
from cli.core.view import full
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.following import follow
from cli.options import DEFAULT_FILE, Options, fund_option, include_options, market_options, parse_fund, path_option
from cli.ordering import live_deployment, loaded, without_replaced
from cli.output import note, open_screen
from cli.records import Records
from cli.selection import Selected, Whose, select
from cli.session import Session, open_session
from cli.signers import TenantSigner
from cli.updating import agree, prepare, recorded, send_update, update_plan
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
    async with (
        open_session(options) as session,
        wallet.open_signer(environment, options, session.market) as signer,
    ):
        records = Records(environment.state_directory, session.market, signer.address)
        with ExitStack() as locked:
            locked.enter_context(records.lock())
            await settle(options, session, signer)
            selected = await _selected(session, records, signer, file, identifier)
            if signer.address != selected.view.tenant:
                records = records.of(selected.view.tenant)
                locked.enter_context(records.lock())
            update = prepare(session, selected, spec)
            plan = await update_plan(session, update, fund_seconds)
            record = recorded(selected.record, update, file)
            if update.is_needed and not await agree(
                environment, options, session, signer, records, record, update, plan
            ):
                return
            if not update.is_needed:
                note(f"{file} and deployment {full(update.view.id)} say the same: nothing to update")
                if not options.is_sending:
                    return
            await signer.unlock()
            with open_screen(environment, options.output) as screen:
                if update.is_needed:
                    await send_update(session, signer, records, selected.record, record, update, plan, screen)
                locked.close()
                await follow(
                    environment,
                    session,
                    signer,
                    update.view.id,
                    update.revision,
                    screen,
                    file=file,
                    is_detached=is_detached,
                    since_block=update.view.block_number + 1,
                    is_manager=signer.address != update.view.tenant,
                )


async def _selected(
    session: Session, records: Records, signer: TenantSigner, file: Path, identifier: str | None
) -> Selected:
    """Return the deployment that is to be updated.

    Raises:
        Failure: there is none that lives.
        NodeUnavailable: the node does not answer.
    """
    if identifier is None:
        selected = await live_deployment(session, records, file, Whose.MANAGED)
    else:
        selected = await select(session, records, signer.address, file, identifier, Whose.MANAGED)
    if selected is None:
        raise Failure(ExitStatus.ERROR, f"{file} is not deployed: `moorage deploy -f {file}` does that")
    if selected.view.state is not DeploymentState.ACTIVE:
        text = f"deployment {full(selected.view.id)} is {selected.view.state.value}: it cannot be updated any more"
        raise Failure(ExitStatus.REFUSED, f"{text}, `moorage deploy -f {file}` orders anew")
    if selected.record is None:
        return selected
    return replace(selected, record=await without_replaced(session, selected.record, selected.view))

"""`moorage plan`: what a file would change, what it costs and what comes back; nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli import wallet
from cli.choosing import live_deployment, loaded
from cli.core.changes import Changes
from cli.core.costs import rate_document, rate_of
from cli.core.order_plan import OrderPlan
from cli.core.plan_report import changes_document, describe_locked
from cli.environment import Environment
from cli.options import (
    DEFAULT_FILE,
    Format,
    Options,
    fund_option,
    include_options,
    market_options,
    parse_fund,
    path_option,
)
from cli.ordering import missing_of, order_lines, order_plan
from cli.output import emit, say
from cli.records import Records
from cli.selection import Selected, Whose, select
from cli.session import Session, open_session
from cli.submission import NO_SALT, compiled_for
from cli.updating import prepare, update_lines, update_plan
from moorage.deployment_file import DeploymentSpec, IncludeRules
from moorage.types import Address, Group


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@click.option("--deployment", "identifier", metavar="ID", help="A deployment by its id, in place of the file's own.")
@fund_option
@market_options()
def command(
    environment: Environment, options: Options, file: Path, rules: IncludeRules, identifier: str | None, fund: str
) -> None:
    """Show what `moorage update` would change, or what `moorage deploy` would order; send nothing."""
    fund_seconds, spec = parse_fund(fund), loaded(file, rules)
    lines, document = environment.run(_plan(environment, options, file, spec, identifier, fund_seconds))
    if options.output is Format.TEXT:
        for line in lines:
            say(line)
    else:
        emit(document, options.output)


async def _plan(
    environment: Environment,
    options: Options,
    file: Path,
    spec: DeploymentSpec,
    identifier: str | None,
    fund_seconds: int,
) -> tuple[list[str], dict[str, Any]]:
    async with open_session(options) as session:
        tenant = wallet.address_of(options)
        records = Records(environment.state_directory, session.market, tenant)
        if identifier is None:
            selected = await live_deployment(session, records, file, Whose.MANAGED)
        else:
            selected = await select(session, records, tenant, file, identifier, Whose.MANAGED)
        if selected is None:
            return await _of_new(session, tenant, file, spec, fund_seconds)
        return await _of_live(session, selected, file, spec, fund_seconds)


async def _of_new(
    session: Session, tenant: Address, file: Path, spec: DeploymentSpec, fund_seconds: int
) -> tuple[list[str], dict[str, Any]]:
    compiled = compiled_for(session, spec, NO_SALT)
    plan = await order_plan(session, tenant, compiled.groups, fund_seconds)
    lines = [*order_lines(session, tenant, file, plan), f"next: `moorage deploy -f {file}` orders this"]
    return lines, {"deployment": None, **_money_document(session, compiled.groups, plan, None)}


async def _of_live(
    session: Session, selected: Selected, file: Path, spec: DeploymentSpec, fund_seconds: int
) -> tuple[list[str], dict[str, Any]]:
    update = prepare(session, selected, spec)
    plan = await update_plan(session, update, fund_seconds)
    view, money = update.view, session.money
    then = f"`moorage update -f {file}` does this" if update.is_needed else "nothing to update"
    lines = [*update_lines(session, update, plan), *describe_locked(view, money), f"next: {then}"]
    document = changes_document(view, update.changes, money)
    return lines, {**document, **_money_document(session, update.compiled.groups, plan, update.changes)}


def _money_document(
    session: Session, groups: tuple[Group, ...], plan: OrderPlan, changes: Changes | None
) -> dict[str, Any]:
    money = session.money
    return {
        "token": money.symbol,
        "cost": rate_document(rate_of(groups, session.market.parameters, changes), money),
        "orders": {
            "total": money.number(plan.total),
            "tips": money.number(plan.tips),
            "prepaid_blocks": max((group.prepaid_blocks for group in plan.groups), default=0),
        },
        "account": money.number(plan.available),
        "paid_in": money.number(missing_of(session, plan)),
    }

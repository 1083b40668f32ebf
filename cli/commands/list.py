"""`moorage list`: all deployments of the wallet."""

from __future__ import annotations

import click

from cli import wallet
from cli.core.report import charge_per_block, document, listing
from cli.environment import Environment
from cli.options import Format, Options, market_options
from cli.output import emit, say, say_table
from cli.records import Records
from cli.session import open_session
from moorage.types import DeploymentState

HEADER = ("DEPLOYMENT", "STATE", "PRICE", "GROUPS", "FILE")


@click.command()
@click.option("--all", "-a", "is_all", is_flag=True, help="Closed ones too.")
@market_options()
def command(environment: Environment, options: Options, is_all: bool) -> None:
    """Show all deployments of the wallet."""
    environment.run(_list(environment, options, is_all))


async def _list(environment: Environment, options: Options, is_all: bool) -> None:
    async with open_session(options) as session:
        tenant = wallet.address_of(options)
        views = await session.reader.of_tenant(tenant)
        files = {
            record.deployment: str(record.file)
            for record in Records(environment.state_directory, session.market, tenant).all()
        }
    shown = [view for view in views if is_all or view.state is not DeploymentState.CLOSED]
    if options.output is not Format.TEXT:
        emit([{**document(view, {}, session.money), "file": files.get(view.id)} for view in shown], options.output)
    elif not shown:
        closed = f" ({len(views)} closed ones with --all)" if views else ""
        say(f"wallet {tenant} has no deployments{closed}")
    else:
        say_table(HEADER, [listing(view, files.get(view.id, ""), session.money) for view in shown])
        say(f"all together {session.money.per_hour(sum(map(charge_per_block, shown)))}")

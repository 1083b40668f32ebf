"""`moorage finish`: end what has waited for too long, as facilitators do."""

from __future__ import annotations

import click

from cli.core.cranks import Crank
from cli.cranking import WHOLE_MARKET, Asked, turn
from cli.environment import Environment
from cli.options import Options, market_options


@click.command()
@click.argument("identifiers", metavar="[LEASE|DEPLOYMENT]...", nargs=-1)
@WHOLE_MARKET
@market_options(asks=True)
def command(environment: Environment, options: Options, identifiers: tuple[str, ...], is_all: bool) -> None:
    """End leases that were closing or used up for too long, close what nothing lives in; earn a tip for each.

    Providers keep their collateral, what is not used goes back to the tenant.
    """
    environment.run(turn(environment, options, Asked(Crank.FINISH, identifiers, is_all)))

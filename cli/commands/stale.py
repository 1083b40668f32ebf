"""`moorage stale`: end leases that nobody confirms, as facilitators do."""

from __future__ import annotations

import click

from cli.core.cranks import Crank
from cli.cranking import WHOLE_MARKET, Asked, turn
from cli.environment import Environment
from cli.options import Options, market_options


@click.command()
@click.argument("identifiers", metavar="[LEASE]...", nargs=-1)
@WHOLE_MARKET
@market_options(asks=True)
def command(environment: Environment, options: Options, identifiers: tuple[str, ...], is_all: bool) -> None:
    """End leases that their providers have not confirmed in time, and earn a tip for each.

    The collateral goes to the tenant; a lease that persists is ordered again.
    """
    environment.run(turn(environment, options, Asked(Crank.STALE, identifiers, is_all)))

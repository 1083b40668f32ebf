"""`moorage match`: turn open orders into leases, as facilitators do."""

from __future__ import annotations

import click

from cli.core.cranks import Crank
from cli.cranking import WHOLE_MARKET, Asked, turn
from cli.environment import Environment
from cli.options import Options, market_options


@click.command()
@click.argument("identifiers", metavar="[ORDER]...", nargs=-1)
@WHOLE_MARKET
@market_options(asks=True)
def command(environment: Environment, options: Options, identifiers: tuple[str, ...], is_all: bool) -> None:
    """Match open orders with their lowest bids, and earn a tip for each.

    Anyone may, from the block on in which an order's wait is over. Facilitators do it if there are any.
    """
    environment.run(turn(environment, options, Asked(Crank.MATCH, identifiers, is_all)))

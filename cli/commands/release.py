"""`moorage release`: free the collateral of lost bids, as facilitators do."""

from __future__ import annotations

import click

from cli.core.cranks import Crank
from cli.cranking import OF_PROVIDER, WHOLE_MARKET, Asked, turn
from cli.environment import Environment
from cli.options import Options, market_options
from moorage.types import ProviderNumber


@click.command()
@click.argument("identifiers", metavar="[ORDER]...", nargs=-1)
@WHOLE_MARKET
@OF_PROVIDER
@market_options(asks=True)
def command(
    environment: Environment, options: Options, identifiers: tuple[str, ...], is_all: bool, provider: int | None
) -> None:
    """Free the collateral of bids that have lost. It pays no tip."""
    number = ProviderNumber(provider) if provider else None
    environment.run(turn(environment, options, Asked(Crank.RELEASE, identifiers, is_all, number)))

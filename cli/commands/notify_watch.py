"""`moorage notify watch`: follows deployments and tells the recipients that their files name."""

from __future__ import annotations

from pathlib import Path

import click

from cli.delivery_options import DeliveryOptions, delivery_options
from cli.environment import Environment
from cli.options import DEFAULT_FILE, Options, market_options, path_option, refuse_unit
from moorage import units


@click.command()
@path_option("-f", "--file", metavar="FILE", help=f"Deployment file.  [default: {DEFAULT_FILE}]")
@click.option("--deployment", "identifier", metavar="ID", help="One deployment by its id; ends when it is closed.")
@click.option("--all", "is_all", is_flag=True, help="All deployments that this machine has a record of.")
@click.option("--once", "is_once", is_flag=True, help="Look at the chain and send what is due once, then end.")
@click.option("--low", metavar="TIME", default="24h", show_default=True, help="Funds that last less long are low.")
@click.option(
    "--max-age", metavar="TIME", default="24h", show_default=True,
    help="What happened longer ago, while nobody watched or a recipient could not be reached, is not sent any more.",
)  # fmt: skip
@click.option(
    "--interval", metavar="TIME", default="15m", show_default=True,
    help="Of a workload that comes and goes, each event is told at most once in this time.",
)  # fmt: skip
@delivery_options()
@market_options()
def command(
    environment: Environment,
    options: Options,
    delivery: DeliveryOptions,
    file: Path | None,
    identifier: str | None,
    is_all: bool,
    is_once: bool,
    low: str,
    max_age: str,
    interval: str,
) -> None:
    """Follow deployments until stopped, and tell who their files name."""
    if is_all and (identifier, file) != (None, None):
        raise click.UsageError("--all is without --file and --deployment: each file names its own recipients")
    from cli.watching import Asked, watch  # takes longer than all the rest

    asked = Asked(
        file,
        identifier,
        is_all,
        is_once,
        low_seconds=_seconds("--low", low),
        oldest_seconds=_seconds("--max-age", max_age),
        interval_seconds=_seconds("--interval", interval),
    )
    environment.run(watch(environment, options, delivery, asked))


def _seconds(option: str, text: str) -> int:
    try:
        return units.parse_duration(text)
    except units.UnitError as error:
        raise refuse_unit(option, error) from error

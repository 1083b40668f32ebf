"""`moorage-facilitator reconcile`: have the running daemon read everything again."""

from __future__ import annotations

import click

from facilitator_bot.options import with_settings
from facilitator_bot.settings import Settings
from moorage.maintenance import Maintenance


@click.command(name="reconcile")
@with_settings
def command(settings: Settings) -> None:
    """Ask the running facilitator to read the whole market again. Nothing is lost by it but time."""
    Maintenance(settings.data_dir).ask_reconcile()
    click.echo(f"asked in {settings.data_dir}: it is done in the next cycle, and the log says so")

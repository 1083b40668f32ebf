"""`moorage-facilitator drain`: maintenance mode."""

from __future__ import annotations

import click

from facilitator_bot.options import with_settings
from facilitator_bot.settings import Settings
from moorage.maintenance import Maintenance


@click.command(name="drain")
@click.option("--off", "is_off", is_flag=True, help="End it.")
@with_settings
def command(settings: Settings, is_off: bool) -> None:
    """Let the running facilitator finish what it has sent, and send nothing new."""
    Maintenance(settings.data_dir).drain(not is_off)
    mode = "ended" if is_off else "begun: what was sent is followed to its end, nothing new is sent"
    click.echo(f"maintenance mode in {settings.data_dir}: {mode}")

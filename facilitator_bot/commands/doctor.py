"""`moorage-facilitator doctor`: what would keep it from working, and what to do about it."""

from __future__ import annotations

import asyncio

import click

from facilitator_bot.doctor import diagnose
from facilitator_bot.options import JSON, with_settings
from facilitator_bot.settings import Settings
from moorage.doctor.finding import is_sound
from moorage.doctor.table import as_json, show


@click.command(name="doctor")
@with_settings
@JSON
@click.pass_context
def command(context: click.Context, settings: Settings, output: str) -> None:
    """Look at nodes, contracts, key, clock and machine. Exit code 1: something keeps it from working."""
    findings = asyncio.run(diagnose(settings))
    if output == "json":
        click.echo(as_json(findings))
    else:
        show(findings)
    context.exit(0 if is_sound(findings) else 1)

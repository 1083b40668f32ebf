"""`moorage-provider doctor`: what would keep the agent from working, or cost it money, and what to do about it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage.doctor.finding import is_sound
from moorage.doctor.table import as_json, show
from provider_agent.doctor import diagnose
from provider_agent.options import CONFIG, JSON
from provider_agent.settings import load_settings


@click.command(name="doctor")
@CONFIG
@JSON
@click.pass_context
def command(context: click.Context, config_file: Path, output: str) -> None:
    """Look at nodes, contracts, keys, engine, account and machine. Exit code 1: something keeps it from working."""
    findings = asyncio.run(diagnose(load_settings(config_file)))
    if output == "json":
        click.echo(as_json(findings))
    else:
        show(findings)
    context.exit(0 if is_sound(findings) else 1)

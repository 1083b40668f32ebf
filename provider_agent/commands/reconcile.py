"""`moorage-provider reconcile`: have the running agent read everything again."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.maintenance import Maintenance
from provider_agent.options import CONFIG
from provider_agent.settings import load_settings


@click.command(name="reconcile")
@CONFIG
def command(config_file: Path) -> None:
    """Ask the running agent to read chain and engine again. No workload is touched by it that fits its lease."""
    data_dir = load_settings(config_file).data_dir
    Maintenance(data_dir).ask_reconcile()
    click.echo(f"asked in {data_dir}: it is done in the next cycle, and the log says so")

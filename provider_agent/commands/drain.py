"""`moorage-provider drain`: maintenance mode."""

from __future__ import annotations

from pathlib import Path

import click

from moorage.maintenance import Maintenance
from provider_agent.options import CONFIG
from provider_agent.settings import load_settings


@click.command(name="drain")
@CONFIG
@click.option("--off", "is_off", is_flag=True, help="End it.")
def command(config_file: Path, is_off: bool) -> None:
    """Let the running agent make no new bids. Its leases go on being confirmed, and their workloads run."""
    data_dir = load_settings(config_file).data_dir
    Maintenance(data_dir).drain(not is_off)
    mode = "ended" if is_off else "begun: no new bids; leases are confirmed as before"
    click.echo(f"maintenance mode in {data_dir}: {mode}")

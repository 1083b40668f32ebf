"""Options that commands of the agent share."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)
CONFIG = click.option("--config", "-c", "config_file", type=PATH, default="provider.toml", show_default=True)
JSON = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
ACCEPT = click.option(
    "--accept-known-holes",
    "accepts_holes",
    is_flag=True,
    envvar="MOORAGE_ACCEPT_KNOWN_HOLES",
    help="Run on a Docker or runc with known holes.",
)

"""Options that all commands of the facilitator share. What is said here wins over the file."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from facilitator_bot.settings import DEFAULT_METRICS, DEFAULT_RPC, Given, load_settings

PATH = click.Path(path_type=Path)
OPTIONS = (
    click.option("--config", "-c", "config_file", envvar="MOORAGE_CONFIG", type=PATH, help="Settings, as TOML."),
    click.option("--rpc", multiple=True, envvar="MOORAGE_RPC", help=f"A node; may be repeated.  [{DEFAULT_RPC}]"),
    click.option("--market", envvar="MOORAGE_MARKET", type=PATH, help="The market's file."),
    click.option("--key-file", envvar="MOORAGE_KEY_FILE", type=PATH, help="Without: dry mode."),
    click.option("--password-file", envvar="MOORAGE_PASSWORD_FILE", type=PATH),
    click.option("--data-dir", envvar="MOORAGE_DATA_DIR", type=PATH, help="For the journal, and for drain."),
    click.option("--signer", envvar="MOORAGE_SIGNER", help="Address of a remote signer, in place of a key file."),
    click.option("--signer-address", envvar="MOORAGE_SIGNER_ADDRESS", help="Whose signature it gives."),
    click.option("--fee-cap-gwei", envvar="MOORAGE_FEE_CAP_GWEI", help="The most to offer for a unit of gas."),
    click.option("--coins-per-day", envvar="MOORAGE_COINS_PER_DAY", help="The most to spend on gas in a day."),
    click.option("--journal", envvar="MOORAGE_JOURNAL", type=PATH, help="Of transactions.  [in the data directory]"),
    click.option("--coins-per-token", envvar="MOORAGE_COINS_PER_TOKEN", help="What a token is worth: bounds the gas."),
    click.option("--metrics", envvar="MOORAGE_METRICS", help=f"Where to serve metrics; '': off.  [{DEFAULT_METRICS}]"),
)
JSON = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


def with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, and call it with the settings that they and the file make."""

    @wraps(function)
    def call(config_file: Path | None, **options: Any) -> None:
        given = Given(**{name: options.pop(name) for name in Given.__slots__})
        function(load_settings(config_file, given), **options)

    for option in reversed(OPTIONS):
        call = option(call)
    return call

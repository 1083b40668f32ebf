"""The options that commands share, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from moorage import units

DEFAULT_FILE = Path("moorage.yml")
DEFAULT_RPC = "http://127.0.0.1:8545"
WALLET_IN_HOME = Path(".config/moorage/wallet.json")

Command = Callable[..., None]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Options:
    """What the person has asked for, whatever the command."""

    rpc_url: str
    is_rpc_given: bool
    market_file: Path | None
    """None: deployments/<chain id>.json in the current directory."""
    output: Format
    wallet_file: Path
    key_file: Path | None
    """A raw key in place of the wallet."""
    password_file: Path | None
    is_agreed: bool
    """Agreed to whatever is asked."""
    is_dry_run: bool = False
    """Show everything, send nothing."""
    unsigned_file: Path | None = None
    """Where transactions go in place of being signed and sent."""
    key_descriptor: int | None = None
    """A file that is open already, with a raw key in it."""
    key: str | None = field(default=None, repr=False)
    """A raw key from the environment."""
    signer_url: str | None = field(default=None, repr=False)
    """Of a signer elsewhere; there may be a token in it."""
    address: str | None = None
    """The tenant's, where no key says it."""


def path_option(*names: str, variable: str | None = None, **settings: Any) -> Callable[[Command], Command]:
    """Return an option that is a path."""
    return click.option(
        *names, type=click.Path(path_type=Path), envvar=variable, show_envvar=variable is not None, **settings
    )


fund_option = click.option(
    "--fund", metavar="TIME", default="24h", show_default=True, help="How long to prepay, at the maximum price."
)


def parse_fund(text: str) -> int:
    """Return the seconds of --fund.

    Raises:
        Failure: it is no time.
    """
    try:
        return units.parse_duration(text)
    except units.UnitError as error:
        raise refuse_unit("--fund", error) from error


def refuse_unit(option: str, error: Exception) -> Failure:
    """Return what to raise when what was typed is no amount or time."""
    return Failure(ExitStatus.USAGE, f"{option}: {error}")


_MARKET = (
    click.option(
        "--rpc", "rpc_url", metavar="URL", envvar="MOORAGE_RPC", show_envvar=True, default=DEFAULT_RPC,
        show_default=True, help="The node to ask.",
    ),
    path_option(
        "--market", "market_file", variable="MOORAGE_MARKET", metavar="FILE",
        help="The file of the market's contracts.  [default: deployments/<chain id>.json]",
    ),
    click.option(
        "-o", "--output", type=click.Choice([each.value for each in Format]), default=Format.TEXT.value,
        show_default=True, help="For people or for programs.",
    ),
)  # fmt: skip
_WALLET = (
    path_option(
        "--wallet", "wallet_file", variable="MOORAGE_WALLET", metavar="FILE",
        help=f"Keystore with the tenant's key.  [default: ~/{WALLET_IN_HOME}]",
    ),
    path_option(
        "--key-file", variable="MOORAGE_KEY_FILE", metavar="FILE",
        help="For automation: a file with the raw key, in place of the wallet.",
    ),
    path_option(
        "--password-file", variable="MOORAGE_PASSWORD_FILE", metavar="FILE",
        help="File with the wallet's password; without it you are asked.",
    ),
    click.option(
        "--key-fd", "key_descriptor", type=click.IntRange(min=0), metavar="N",
        help="For automation: the number of an open file with the raw key; MOORAGE_KEY can hold the key itself.",
    ),
    click.option(
        "--signer", "signer_url", envvar="MOORAGE_SIGNER", show_envvar=True, metavar="URL",
        help="A signer elsewhere that has the key of --address.",
    ),
    click.option(
        "--address", envvar="MOORAGE_ADDRESS", show_envvar=True, metavar="ADDRESS",
        help="The tenant's address, where the key is elsewhere.",
    ),
)  # fmt: skip
_AGREE = (
    click.option("--yes", "-y", "is_agreed", is_flag=True, help="Agree without being asked."),
    click.option("--dry-run", "is_dry_run", is_flag=True, help="Show what would be signed, and sign nothing."),
    click.option("--no-input", "is_alone", is_flag=True, help="Ask nothing; what needs an answer fails."),
    path_option(
        "--unsigned-out", "unsigned_file", metavar="FILE",
        help="Write the transactions, to be signed by a key that is not here, and send nothing.",
    ),
)  # fmt: skip


def market_options(*, has_wallet: bool = True, asks: bool = False) -> Callable[[Command], Command]:
    """Give a command the options of every command as `options`, and the environment.

    Args:
        has_wallet: whether the command needs the tenant's key or address.
        asks: whether it asks before it does something.
    """
    chosen = (*_MARKET, *(_WALLET if has_wallet else ()), *(_AGREE if asks else ()))

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            context = click.get_current_context()
            environment = context.find_object(Environment) or Environment.of_process()
            if given.pop("is_alone", False):
                environment = replace(environment, is_interactive=False)
            command(environment=environment, options=_collected(context, environment, given), **given)

        decorated: Command = run
        for option in reversed(chosen):
            decorated = option(decorated)
        return decorated

    return decorate


def _collected(context: click.Context, environment: Environment, given: dict[str, Any]) -> Options:
    """Take the shared options out of what was given."""
    wallet, key = given.pop("wallet_file", None), given.pop("key_file", None)
    if _is_typed(context, "wallet_file") and _is_typed(context, "key_file"):
        raise click.UsageError("--wallet and --key-file are two ways to name one key: give one of them")
    if _is_typed(context, "wallet_file"):
        key = None
    return Options(
        rpc_url=given.pop("rpc_url"),
        is_rpc_given=context.get_parameter_source("rpc_url") is not ParameterSource.DEFAULT,
        market_file=_expanded(given.pop("market_file")),
        output=Format(given.pop("output")),
        wallet_file=_expanded(wallet) or environment.home / WALLET_IN_HOME,
        key_file=_expanded(key),
        password_file=_expanded(given.pop("password_file", None)),
        is_agreed=given.pop("is_agreed", False),
        is_dry_run=given.pop("is_dry_run", False),
        unsigned_file=_expanded(given.pop("unsigned_file", None)),
        key_descriptor=given.pop("key_descriptor", None),
        signer_url=given.pop("signer_url", None),
        address=given.pop("address", None),
    )


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _expanded(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser()

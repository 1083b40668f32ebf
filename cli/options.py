"""The options that commands share, as one value."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cli.contexts import Context, Contexts
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from moorage import units

DEFAULT_FILE = Path("moorage.yml")
DEFAULT_RPC = "http://127.0.0.1:8545"
WALLET = "wallet.json"

KEY_VARIABLE = "MOORAGE_KEY"
KEY_SOURCES = {
    "wallet_file": "--wallet",
    "key_file": "--key-file",
    "key_descriptor": "--key-fd",
    "signer_url": "--signer",
    "address": "--address",
}
"""Where the key may be, as options name it."""
MAX_KEY_CHARACTERS = 1_000

Command = Callable[..., None]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    GITHUB = "github"
    """Annotations of a workflow on GitHub; of `validate` only."""


FORMATS = (Format.TEXT, Format.JSON, Format.YAML)
"""What commands can write; docs/for-programs.md says which, and what is in it."""


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
    key: str | None = field(default=None, repr=False)
    """A raw key, from the environment or from a file that was open already."""
    signer_url: str | None = field(default=None, repr=False)
    """Of a signer elsewhere; there may be a token in it."""
    address: str | None = None
    """The tenant's, where no key says it."""
    environment: Environment | None = field(default=None, repr=False, compare=False)
    """For what has to be asked before there is a market; None if nothing can be."""

    @property
    def is_sending(self) -> bool:
        """Whether transactions are signed and sent, and not only shown or written down."""
        return not self.is_dry_run and self.unsigned_file is None


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


MAX_DESCRIPTOR = 2**31 - 1
"""The largest number that a file can have."""
_CONTEXT = click.option(
    "--context", "context_name", envvar="MOORAGE_CONTEXT", show_envvar=True, metavar="NAME",
    help="Settings of `moorage context add` to use.  [default: those of `moorage context use`]",
)  # fmt: skip


def _output_option(formats: tuple[Format, ...] = FORMATS) -> Callable[[Command], Command]:
    return click.option(
        "-o", "--output", type=click.Choice([each.value for each in formats]), default=Format.TEXT.value,
        show_default=True, help="For people or for programs.",
    )  # fmt: skip


_MARKET = (
    _CONTEXT,
    click.option(
        "--rpc", "rpc_url", metavar="URL", envvar="MOORAGE_RPC", show_envvar=True, default=DEFAULT_RPC,
        show_default=True, help="The node to ask.",
    ),
    path_option(
        "--market", "market_file", variable="MOORAGE_MARKET", metavar="FILE",
        help="The file of the market's contracts.  [default: deployments/<chain id>.json, once agreed to]",
    ),
)  # fmt: skip
_INCLUDES = (
    click.option(
        "--allow-remote-include", "is_remote_allowed", is_flag=True,
        help="Include files from https:// that the lock does not have.",
    ),
    click.option("--frozen", "is_frozen", is_flag=True, help="Include only files that are as the lock has them."),
)  # fmt: skip
_WALLET = (
    path_option(
        "--wallet", "wallet_file", variable="MOORAGE_WALLET", metavar="FILE",
        help=f"Keystore with the tenant's key.  [default: ~/.config/moorage/{WALLET}]",
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
        "--key-fd", "key_descriptor", type=click.IntRange(0, MAX_DESCRIPTOR), metavar="N",
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


def include_options(command: Command) -> Command:
    """Give a command that loads a deployment file `rules`: what the file may include."""

    @wraps(command)
    def run(is_remote_allowed: bool, is_frozen: bool, **given: Any) -> None:
        from moorage.deployment_file.include_rules import IncludeRules  # not at every `--help`

        command(rules=IncludeRules(is_remote_allowed=is_remote_allowed, is_frozen=is_frozen), **given)

    decorated: Command = run
    for option in reversed(_INCLUDES):
        decorated = option(decorated)
    return decorated


def market_options(
    *, has_wallet: bool = True, asks: bool = False, formats: tuple[Format, ...] = FORMATS
) -> Callable[[Command], Command]:
    """Give a command the options of every command as `options`, and the environment.

    Args:
        has_wallet: whether the command needs the tenant's key or address.
        asks: whether it asks before it does something.
        formats: what it can write; none: its output is not its own.
    """
    output = (_output_option(formats),) if formats else ()
    return _shared((*_MARKET, *output, *(_WALLET if has_wallet else ()), *(_AGREE if asks else ())))


def wallet_options(*, asks: bool = False) -> Callable[[Command], Command]:
    """Give a command that needs no node the options of the wallet as `options`, and the environment.

    Args:
        asks: whether it asks before it does something.
    """
    agreeing = tuple(option for option in _AGREE[:1] if asks)
    return _shared((_CONTEXT, _output_option(), _WALLET[0], _WALLET[2], *agreeing))


def output_options(command: Command) -> Command:
    """Give a command that needs neither node nor wallet its options as `options`, and the environment."""
    return _shared((_output_option(),))(command)


def _shared(chosen: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
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
    """Take the shared options out of what was given; what is not given there is taken from the context."""
    saved = Contexts(environment.config_directory).find(given.pop("context_name", None))
    rpc_url, market = given.pop("rpc_url", DEFAULT_RPC), given.pop("market_file", None)
    is_rpc_default = context.get_parameter_source("rpc_url") in (None, ParameterSource.DEFAULT)
    key = _key_source(context, given, saved)
    wallet = key.get("wallet_file")
    return Options(
        rpc_url=saved.rpc or rpc_url if is_rpc_default else rpc_url,
        is_rpc_given=not is_rpc_default or saved.rpc is not None,
        market_file=_expanded(market or _path(saved.market)),
        output=Format(given.pop("output", Format.TEXT)),
        wallet_file=_expanded(wallet) or environment.config_directory / WALLET,
        key_file=_expanded(key.get("key_file")),
        password_file=_expanded(given.pop("password_file", None)),
        is_agreed=given.pop("is_agreed", False),
        is_dry_run=given.pop("is_dry_run", False),
        unsigned_file=_expanded(given.pop("unsigned_file", None)),
        key=key.get("key"),
        signer_url=key.get("signer_url"),
        address=key.get("address"),
        environment=environment,
    )


def _key_source(context: click.Context, given: dict[str, Any], saved: Context) -> dict[str, Any]:
    """Return where the key is: by options, else by variables, else by the context. Never by parts of several."""
    values = {name: given.pop(name, None) for name in KEY_SOURCES}
    descriptor = values.pop("key_descriptor")
    typed = {name for name in KEY_SOURCES if _is_typed(context, name)}
    address = values["address"] or saved.address
    if typed:
        return _one_key(values | {"key": _read_key(descriptor)}, typed, address)
    variables = {name for name, value in values.items() if value is not None}
    if KEY_VARIABLE in os.environ:
        variables.add("key")
    if variables - {"wallet_file"}:
        variables.discard("wallet_file")
    if variables:
        return _one_key(values | {"key": os.environ.get(KEY_VARIABLE)}, variables, address)
    return {"wallet_file": _path(saved.wallet), "signer_url": saved.signer, "address": saved.address}


def _one_key(values: dict[str, Any], named: set[str], address: str | None) -> dict[str, Any]:
    """Return the one source that is named, or an address whose key is not here."""
    keys = {"key" if name == "key_descriptor" else name for name in named}
    if keys != {"signer_url", "address"} and len(keys) > 1:
        names = " and ".join(sorted(KEY_SOURCES.get(name, KEY_VARIABLE) for name in keys))
        raise click.UsageError(f"{names} are two ways to name one key: give one of them")
    if "signer_url" in keys:
        return {"signer_url": values["signer_url"], "address": address}
    return {name: values[name] for name in keys}


def _read_key(descriptor: int | None) -> str | None:
    """Return the raw key of a file that is open already."""
    if descriptor is None:
        return None
    try:
        with os.fdopen(os.dup(descriptor), encoding="ascii") as file:
            return file.read(MAX_KEY_CHARACTERS)
    except (OSError, UnicodeDecodeError) as error:
        problem = f"--key-fd {descriptor}: no key can be read from it ({type(error).__name__})"
        raise Failure(ExitStatus.WALLET, problem) from None


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _expanded(path: Path | None) -> Path | None:
    return None if path is None else expanded(path)


def expanded(path: Path) -> Path:
    """Return a path in which `~` is somebody's home.

    Raises:
        Failure: it is nobody's.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise Failure(ExitStatus.USAGE, f"{path}: there is no such user here") from error

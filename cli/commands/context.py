"""`moorage context`: named settings, so that no directory decides about node, market and key."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cli.contexts import Context, Contexts
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Format, Options, context_options, path_option
from cli.output import emit, note, say, say_table
from cli.wallet import parse_address
from moorage.chain.market import load_market

HEADER = ("CONTEXT", "NODE", "MARKET", "KEY")


@click.group()
def command() -> None:
    """Keep named settings: which node, which market, whose key."""


@command.command("add")
@click.argument("name")
@click.option("--rpc", metavar="URL", help="The node to ask.")
@path_option("--market", metavar="FILE", help="The file of the market's contracts.")
@path_option("--wallet", metavar="FILE", help="Keystore with the tenant's key.")
@click.option("--signer", metavar="URL", help="A signer elsewhere that has the key of --address.")
@click.option("--address", "known_address", metavar="ADDRESS", help="The tenant's address, where the key is elsewhere.")
@context_options
def add(
    environment: Environment,
    options: Options,
    name: str,
    rpc: str | None,
    market: Path | None,
    wallet: Path | None,
    signer: str | None,
    known_address: str | None,
) -> None:
    """Keep settings under a name. The first context is used from then on."""
    if wallet is not None and (signer or known_address):
        raise Failure(ExitStatus.USAGE, "--wallet and --signer or --address are two ways to name one key: give one")
    if signer is not None and known_address is None:
        raise Failure(ExitStatus.USAGE, "--signer needs --address: whose transactions it is to sign")
    if market is not None:
        load_market(market)
    address = None if known_address is None else parse_address(known_address, "--address")
    contexts = Contexts(environment.config_directory)
    contexts.add(name, Context(rpc, _absolute(market), _absolute(wallet), signer, address))
    note(f"context {name} is kept in {contexts.path}" + (", and used" if contexts.current == name else ""))


@command.command("use")
@click.argument("name")
@context_options
def use(environment: Environment, options: Options, name: str) -> None:
    """Use a context from now on."""
    Contexts(environment.config_directory).use(name)


@command.command("remove")
@click.argument("name")
@context_options
def remove(environment: Environment, options: Options, name: str) -> None:
    """Forget a context; wallet and market stay where they are."""
    Contexts(environment.config_directory).remove(name)


@command.command("list")
@context_options
def show(environment: Environment, options: Options) -> None:
    """Show all contexts; * marks the one in use."""
    contexts = Contexts(environment.config_directory)
    if options.output is not Format.TEXT:
        found = {name: msgspec.to_builtins(context) for name, context in contexts.all.items()}
        emit({"current": contexts.current, "contexts": found}, options.output)
        return
    rows = [_row(name, context, is_current=name == contexts.current) for name, context in contexts.all.items()]
    if rows:
        say_table(HEADER, rows)
    else:
        say("no contexts: `moorage context add` makes one")


def _row(name: str, context: Context, *, is_current: bool) -> tuple[str, ...]:
    from moorage.chain.rpc import Rpc

    node, signer = (Rpc(url).name if url else None for url in (context.rpc, context.signer))
    key = f"{context.address} by {signer}" if signer else context.address or context.wallet
    return f"{'*' if is_current else ' '} {name}", node or "-", context.market or "-", key or "-"


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().absolute())

"""`moorage context`: named settings, so that no directory decides about node, market and key."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from cli.contexts import Context, Contexts
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Format, Options, expanded, output_options, path_option
from cli.output import emit, say, say_table
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
@output_options
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
    _tell(options, contexts, name, f"context {name} is kept in {contexts.path}")


@command.command("use")
@click.argument("name")
@output_options
def use(environment: Environment, options: Options, name: str) -> None:
    """Use a context from now on."""
    contexts = Contexts(environment.config_directory)
    contexts.use(name)
    context = contexts.find(name)
    what = f"node {_node(context.rpc)}, market {context.market or '-'}, key {_key(context)}"
    _tell(options, contexts, name, f"context {name}: {what}")


@command.command("remove")
@click.argument("name")
@output_options
def remove(environment: Environment, options: Options, name: str) -> None:
    """Forget a context; wallet and market stay where they are."""
    contexts = Contexts(environment.config_directory)
    contexts.remove(name)
    _tell(options, contexts, name, f"context {name} is forgotten; its wallet and market stay where they are")


@command.command("list")
@output_options
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


def _tell(options: Options, contexts: Contexts, name: str, what: str) -> None:
    """Say what was done, and which context is in use now."""
    if options.output is not Format.TEXT:
        emit({"context": name, "current": contexts.current, "file": str(contexts.path)}, options.output)
        return
    say(what)
    current = contexts.current
    say(f"in use now: context {current}" if current else "in use now: none; `moorage context use NAME` takes one")


def _row(name: str, context: Context, *, is_current: bool) -> tuple[str, ...]:
    return f"{'*' if is_current else ' '} {name}", _node(context.rpc), context.market or "-", _key(context)


def _node(url: str | None) -> str:
    """Return an address without what may be secret in it."""
    from moorage.chain.rpc import Rpc

    return Rpc(url).name if url else "-"


def _key(context: Context) -> str:
    if context.signer:
        return f"{context.address} by {_node(context.signer)}"
    return context.address or context.wallet or "-"


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(expanded(path).absolute())

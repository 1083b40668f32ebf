"""`moorage wallet`: keys in keystores, and signing on a machine without a network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from cli import wallet
from cli.cold import show_unsigned
from cli.contexts import Contexts
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.new_files import check_free, taken
from cli.options import Format, Options, expanded, market_options, path_option, wallet_options
from cli.output import emit, note, say, say_table
from cli.unsigned import read_unsigned, write_signed
from moorage.chain.market import load_market
from moorage.chain.signer import LocalSigner, market_calls
from moorage.keys import KeyFileError, keystore_address
from moorage.types import Address

HEADER = ("ADDRESS", "FILE", "")


@click.group()
def command() -> None:
    """Make, import, list and export keys; sign for a machine that has none."""


@command.command("new")
@wallet_options()
def new(environment: Environment, options: Options) -> None:
    """Make a new key in the wallet's file."""
    _tell(options, Address(wallet.create(environment, options).address), options.wallet_file)
    note("keep a copy of it and its password, nobody can restore them")


@command.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@wallet_options()
def import_(environment: Environment, options: Options, source: Path) -> None:
    """Take a raw key, or another program's keystore, into the wallet."""
    account = wallet.import_key(environment, options, expanded(source))
    _tell(options, Address(account.address), options.wallet_file)


@command.command("export")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--raw", "is_raw", is_flag=True, help="The key itself, which no password protects.")
@wallet_options(asks=True)
def export(environment: Environment, options: Options, path: Path, is_raw: bool) -> None:
    """Copy the wallet to another file, encrypted as it is."""
    if is_raw:
        question = f"Write the key to {path} so that whoever reads that file has everything that is the wallet's?"
        environment.confirm(question, is_agreed=options.is_agreed)
    _tell(options, wallet.export(environment, options, expanded(path), is_raw=is_raw), path)


@command.command("list")
@wallet_options()
def show(environment: Environment, options: Options) -> None:
    """Show the wallets of this machine.

    They are those of the configuration's directory and of the contexts.
    """
    found = [_described(path) for path in _paths(environment, options)]
    if options.output is not Format.TEXT:
        emit(found, options.output)
        return
    rows = [(each["address"] or "-", each["file"], each["problem"] or "") for each in found]
    if rows:
        say_table(HEADER, rows)
    else:
        say("no wallets: `moorage wallet new` makes one")


@command.command("sign")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@path_option("--out", "out", metavar="FILE", help="Where what is signed goes.  [default: FILE.signed]")
@market_options(asks=True)
def sign(environment: Environment, options: Options, file: Path, out: Path | None) -> None:
    """Sign transactions of --unsigned-out. No node is asked; the market has to be one that is known here."""
    if options.market_file is None:
        text = "--market (MOORAGE_MARKET, or a context): without the market's file nobody knows what is signed"
        raise Failure(ExitStatus.USAGE, text)
    if options.signer_url is not None or options.address is not None:
        raise Failure(ExitStatus.USAGE, "--signer and --address: here the key itself signs, give --wallet")
    asyncio.run(_sign(environment, options, file, out or Path(f"{file}.signed")))


async def _sign(environment: Environment, options: Options, file: Path, out: Path) -> None:
    assert options.market_file is not None
    check_free(out, taken(out))
    market, unsigned = load_market(options.market_file), read_unsigned(file)
    address = wallet.address_of(options)
    if unsigned.chain_id != market.chain_id:
        text = f"{file} is for chain {unsigned.chain_id}, the market is on chain {market.chain_id}"
        raise Failure(ExitStatus.WRONG_MARKET, f"{text}: give the market that it was made for")
    if unsigned.sender != address:
        raise Failure(ExitStatus.WALLET, _other_key(file, unsigned.sender, address))
    show_unsigned(market, unsigned.sender, unsigned.transactions)
    if options.is_dry_run:
        note("nothing was signed (--dry-run)")
        return
    count = len(unsigned.transactions)
    environment.confirm(
        f"Sign {'this transaction' if count == 1 else f'these {count} transactions'}?", is_agreed=options.is_agreed
    )
    signer = LocalSigner(wallet.unlock(environment, options), market_calls(market))
    signed = [await signer.sign(each) for each in unsigned.transactions]
    write_signed(out, market.chain_id, signed)
    if options.output is not Format.TEXT:
        hashes = [each.hash for each in signed]
        emit({"file": str(out), "wallet": address, "chain_id": market.chain_id, "transactions": hashes}, options.output)
    note(f"{out}: signed; `moorage send {out.name}` on a machine with a network")


def _other_key(file: Path, wanted: Address, there: Address) -> str:
    return f"{file} is for wallet {wanted}, this is the key of {there}: name the other one with --wallet"


def _tell(options: Options, address: Address, path: Path) -> None:
    if options.output is not Format.TEXT:
        emit({"address": address, "file": str(path)}, options.output)
    else:
        say(f"{address}  {path}")


def _paths(environment: Environment, options: Options) -> list[Path]:
    """Return the keystores that are known, each once."""
    directory = environment.config_directory
    near = sorted(directory.glob("*.json")) if directory.is_dir() else []
    contexts = Contexts(directory)
    named = [Path(each.wallet) for each in contexts.all.values() if each.wallet is not None]
    given = [options.wallet_file] if options.wallet_file.exists() else []
    return list(dict.fromkeys(path for path in (*near, *named, *given) if path != contexts.path))


def _described(path: Path) -> dict[str, Any]:
    try:
        return {"address": keystore_address(path), "file": str(path), "problem": None}
    except KeyFileError as error:
        return {"address": None, "file": str(path), "problem": str(error).removeprefix(f"{path}: ")}

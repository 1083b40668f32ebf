"""`moorage register`: a wallet, a look at the market, and the first deposit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from eth_account.signers.local import LocalAccount

from cli import wallet
from cli.desk import Desk, desk_of
from cli.earlier_runs import settle, was_done
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.funding import check_funds, deposit
from cli.options import Format, Options, market_options, path_option, refuse_unit
from cli.output import emit, note, say
from cli.review import review
from cli.session import Session, open_session
from cli.turns import forget
from moorage import units
from moorage.chain.index import read_block
from moorage.chain.rpc import as_number
from moorage.types import Address

COIN_DECIMALS = 18


@click.command()
@path_option("--import-key-file", "import_file", metavar="FILE", help="Take the key in this file into the wallet.")
@click.option("--deposit", "amount", metavar="AMOUNT", help="Tokens of the wallet to pay into its account.")
@market_options(asks=True)
def command(environment: Environment, options: Options, import_file: Path | None, amount: str | None) -> None:
    """Create or import a wallet, check the market, and pay in."""
    found = environment.run(_register(environment, options, import_file, amount))
    if found is None:
        return
    document, lines = found
    if options.output is not Format.TEXT:
        emit(document, options.output)
    else:
        for line in lines:
            say(line)


async def _register(
    environment: Environment, options: Options, import_file: Path | None, amount: str | None
) -> tuple[dict[str, Any], list[str]] | None:
    async with open_session(options) as session:
        base_units = _base_units(session, amount)
        account = _new_wallet(environment, options, import_file)
        if account is not None:
            signer = wallet.signer_of(account, session.market)
            return await _registered(desk_of(environment, options, session, signer), base_units)
        async with wallet.open_signer(environment, options, session.market) as signer:
            return await _registered(desk_of(environment, options, session, signer), base_units)


async def _registered(desk: Desk, base_units: int) -> tuple[dict[str, Any], list[str]] | None:
    is_over = await _deposit(desk, base_units)
    return None if is_over else await _describe(desk.options, desk.session, desk.signer.address)


def _new_wallet(environment: Environment, options: Options, import_file: Path | None) -> LocalAccount | None:
    """Return the key of a wallet that is made now: because it is imported, or because there is none."""
    if import_file is not None:
        if options.key_file is not None:
            text = "--import-key-file fills a wallet, --key-file goes without one: give one of them"
            raise Failure(ExitStatus.USAGE, text)
        if options.is_sending:
            return wallet.import_key(environment, options, import_file)
        note(f"the key is not taken into {options.wallet_file} now: nothing is kept by --dry-run and --unsigned-out")
        return wallet.open_other(environment, options, import_file)
    if wallet.is_file_needed(options) and not options.wallet_file.exists() and options.is_sending:
        account = wallet.create(environment, options)
        note(f"new wallet {options.wallet_file}: keep a copy of it and its password, nobody can restore them")
        return account
    return None


def _base_units(session: Session, amount: str | None) -> int:
    """Return an amount that was typed in base units of the token."""
    if amount is None:
        return 0
    decimals = session.market.parameters.token_decimals
    try:
        base_units = units.to_base_units(units.parse_amount(amount, decimals), decimals)
    except units.UnitError as error:
        raise refuse_unit("--deposit", error) from error
    if not base_units:
        raise Failure(ExitStatus.USAGE, "--deposit 0: nothing to pay in")
    return base_units


async def _deposit(desk: Desk, base_units: int) -> bool:
    """Pay in, if anything is to be paid in; return whether that is the end of it, because nothing is to be sent."""
    if not base_units:
        return False
    session, wallet_address = desk.session, desk.signer.address
    call = session.exchange.deposit(wallet_address, base_units)
    await settle(desk)
    if was_done(desk, call):
        await forget(desk)
        note("this deposit was made by that run: nothing is paid again, run it again to pay more")
        return False
    await check_funds(session, wallet_address, base_units)
    shown = session.money.at_most(units.to_ledger_units(base_units, session.market.parameters.token_decimals))
    question = f"Pay {shown} from wallet {wallet_address} into its account on exchange {session.market.exchange}?"
    if not await review(desk, [call], question):
        return True
    sent = await deposit(desk, base_units)
    note(f"block {sent.block_number}  paid in {shown}")
    return False


async def _describe(options: Options, session: Session, address: Address) -> tuple[dict[str, Any], list[str]]:
    market, money = session.market, session.money
    block = await read_block(session.rpc)
    coin = as_number(await session.rpc.call("eth_getBalance", address, "latest"))
    tokens = units.to_ledger_units(await session.token.balance(block, address), market.parameters.token_decimals)
    (account,) = await session.exchange.accounts(block, [address])
    document = {
        "wallet": wallet.place_of(options),
        "address": address,
        "chain_id": market.chain_id,
        "exchange": market.exchange,
        "token": market.token,
        "coin": units.format_amount(coin, COIN_DECIMALS),
        "symbol": money.symbol,
        "tokens": money.number(tokens),
        "account": money.number(account.available),
    }
    lines = [
        f"wallet    {document['wallet']}",
        f"address   {address}",
        f"market    exchange {market.exchange} on chain {market.chain_id}, token {market.token}",
        f"coin      {document['coin']} to pay for gas",
        f"tokens    {money.amount(tokens)} in the wallet",
        f"account   {money.amount(account.available)} on the exchange",
    ]
    return document, lines

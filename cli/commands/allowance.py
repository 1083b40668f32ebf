"""`moorage allowance`: who may take tokens of the wallet, and how that is ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
from eth_utils.address import to_checksum_address

from cli import wallet
from cli.core.decoding import UNLIMITED
from cli.desk import open_desk
from cli.environment import Environment
from cli.options import Format, Options, market_options
from cli.output import emit, note, say, say_table
from cli.session import Session, open_session
from cli.transacting import transact, transactions_document
from moorage import units
from moorage.chain import abi
from moorage.chain.index import read_block
from moorage.chain.logs import EventLog
from moorage.types import Address

EVERYBODY = "all"
HEADER = ("SPENDER", "MAY TAKE", "")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What somebody may take from the wallet."""

    spender: Address
    base_units: int


@click.group()
def command() -> None:
    """See who may take tokens of the wallet, and end it."""


@command.command("list")
@market_options()
def show(environment: Environment, options: Options) -> None:
    """Show everybody who may take tokens of the wallet. No deposit leaves such a right behind."""
    environment.run(_show(environment, options))


async def _show(environment: Environment, options: Options) -> None:
    async with open_session(options) as session:
        owner = wallet.address_of(options)
        found = await _allowances(session, owner)
    if options.output is not Format.TEXT:
        emit([_document(session, each) for each in found], options.output)
        return
    if not found:
        say(f"nobody may take {session.money.symbol} from wallet {owner}")
        return
    say_table(HEADER, [_row(session, each) for each in found])


@command.command("revoke")
@click.argument("spender")
@market_options(asks=True)
def revoke(environment: Environment, options: Options, spender: str) -> None:
    """Let somebody take nothing any more: an address, or `all`."""
    environment.run(_revoke(environment, options, spender))


async def _revoke(environment: Environment, options: Options, spender: str) -> None:
    async with open_desk(environment, options) as desk:
        session, signer = desk.session, desk.signer
        meant = await _meant(session, signer.address, spender)
        if not meant:
            who = "nobody may take tokens" if spender == EVERYBODY else f"{spender} may take nothing"
            note(f"{who} from wallet {signer.address}: nothing to revoke")
            if options.output is not Format.TEXT:
                emit([], options.output)
            return
        calls = [session.token.approve(each, 0) for each in meant]
        sent = await transact(desk, calls, "Revoke?")
    if options.output is not Format.TEXT and sent:
        emit(transactions_document(sent), options.output)
    elif sent:
        for each, landed in zip(meant, sent, strict=True):
            say(f"block {landed.block_number}  {each} may take nothing any more")


async def _meant(session: Session, owner: Address, spender: str) -> list[Address]:
    """Return whose right it is that ends, if there is one."""
    if spender == EVERYBODY:
        return [each.spender for each in await _allowances(session, owner)]
    address = wallet.parse_address(spender, "SPENDER")
    return [address] if await session.token.allowance(None, owner, address) else []


async def _allowances(session: Session, owner: Address) -> list[Allowance]:
    """Return all rights that there are: of the exchange, and of whoever an Approval was ever told of."""
    block = await read_block(session.rpc)
    log = EventLog(session.rpc, session.market.token, abi.load("ERC20"))
    padded = bytes.fromhex(owner[2:]).rjust(32, b"\0")
    told = await log.between(session.market.first_block, block.number, log.topic("Approval"), padded)
    spenders = {Address(to_checksum_address(_spender(each.arguments))): None for each in told}
    spenders.setdefault(session.market.exchange)
    held = await session.token.read_many(block, "allowance", [[owner, each] for each in spenders])
    return [Allowance(spender, amount) for spender, amount in zip(spenders, held, strict=True) if amount]


def _spender(arguments: dict[str, Any]) -> str:
    return str(arguments["spender"])


def _row(session: Session, allowance: Allowance) -> tuple[str, ...]:
    is_exchange = allowance.spender == session.market.exchange
    return allowance.spender, _amount(session, allowance), "the exchange of this market" if is_exchange else ""


def _amount(session: Session, allowance: Allowance) -> str:
    if allowance.base_units >= UNLIMITED:
        return "everything, without a limit"
    decimals = session.market.parameters.token_decimals
    return session.money.amount(units.to_ledger_units(allowance.base_units, decimals))


def _document(session: Session, allowance: Allowance) -> dict[str, Any]:
    decimals = session.market.parameters.token_decimals
    return {
        "spender": allowance.spender,
        "amount": session.money.number(units.to_ledger_units(allowance.base_units, decimals)),
        "is_unlimited": allowance.base_units >= UNLIMITED,
        "is_exchange": allowance.spender == session.market.exchange,
    }

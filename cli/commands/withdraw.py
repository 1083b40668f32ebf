"""`moorage withdraw`: take tokens out of the account on the exchange, and see what stays and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from cli import wallet
from cli.core.closing import Held, held
from cli.core.report import counted
from cli.core.view import DeploymentView, full
from cli.desk import open_desk
from cli.earlier_runs import settle
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Format, Options, market_options, refuse_unit
from cli.output import emit, say
from cli.session import Session
from cli.signers import TenantSigner
from cli.transacting import transact, transactions_document
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.sender import Sent
from moorage.types import Address, DeploymentState

EVERYTHING = "all"
OPTION = "AMOUNT"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is there and what is taken of it."""

    available: int
    """Ledger units."""
    locked: tuple[tuple[DeploymentView, Held], ...]
    """By deployments that are not closed."""
    base_units: int
    recipient: Address


@click.command()
@click.argument("amount", metavar="AMOUNT|all")
@click.option("--to", "recipient", metavar="ADDRESS", help="Who gets the tokens.  [default: the wallet]")
@market_options(asks=True)
def command(environment: Environment, options: Options, amount: str, recipient: str | None) -> None:
    """Take tokens out of the account on the exchange.

    What live deployments hold stays: `moorage delete` brings back what is not used.
    """
    environment.run(_withdraw(environment, options, amount, recipient))


async def _withdraw(environment: Environment, options: Options, amount: str, recipient: str | None) -> None:
    async with open_desk(environment, options) as desk:
        session, signer = desk.session, desk.signer
        to = signer.address if recipient is None else _recipient(session, recipient)
        await settle(desk)
        withdrawal = await _read(session, signer, amount, to)
        if options.output is Format.TEXT:
            _show(session, withdrawal)
        sent: list[Sent] = []
        if withdrawal.base_units:
            shown = session.money.amount(_ledger_units(session, withdrawal.base_units))
            question = f"Withdraw {shown} to {to}?"
            call = _call(session, signer, withdrawal)
            sent = await transact(desk, [call], question)
        if options.output is not Format.TEXT and not (options.is_dry_run and withdrawal.base_units):
            emit(_document(session, withdrawal, sent), options.output)
        for each in sent if options.output is Format.TEXT else ():
            say(f"block {each.block_number}  withdrawn to {to}")


def _recipient(session: Session, typed: str) -> Address:
    """Return the address that was typed, unless tokens would be lost there."""
    address = wallet.parse_address(typed, "--to")
    market = session.market
    if address in (market.exchange, market.registry, market.token):
        raise Failure(ExitStatus.USAGE, f"--to {address}: a contract of this market, what it gets is lost")
    if int(address, 16) == 0:
        raise Failure(ExitStatus.USAGE, f"--to {address}: nobody has this address")
    return address


async def _read(session: Session, signer: TenantSigner, amount: str, recipient: Address) -> Withdrawal:
    (account,) = await session.exchange.accounts(None, [signer.address])
    views = await session.reader.of_tenant(signer.address)
    locked = tuple((view, held(view)) for view in views if view.state is not DeploymentState.CLOSED)
    decimals = session.market.parameters.token_decimals
    most = units.to_base_units(account.available, decimals)
    base_units = most if amount == EVERYTHING else _base_units(amount, decimals)
    if base_units > most:
        raise Failure(ExitStatus.REFUSED, _too_much(session, account.available, locked))
    return Withdrawal(account.available, locked, base_units, recipient)


def _base_units(amount: str, decimals: int) -> int:
    try:
        base_units = units.to_base_units(units.parse_amount(amount, decimals), decimals)
    except units.UnitError as error:
        raise refuse_unit(OPTION, error) from error
    if not base_units:
        raise Failure(ExitStatus.USAGE, f"{OPTION} {amount}: nothing to withdraw")
    return base_units


def _too_much(session: Session, available: int, locked: Sequence[tuple[DeploymentView, Held]]) -> str:
    money = session.money
    text = f"the account has {money.amount(available)}"
    if locked:
        total = sum(each.total for _, each in locked)
        by = counted(len(locked), "live deployment")
        text += f", {money.amount(total)} are held by {by}: `moorage delete` ends one"
    return f"{text}; `moorage withdraw all` takes what is there" if available else text


def _call(session: Session, signer: TenantSigner, withdrawal: Withdrawal) -> Call:
    if withdrawal.recipient == signer.address:
        return session.exchange.withdraw(signer.address, withdrawal.base_units)
    return session.exchange.withdraw_to(signer.address, withdrawal.base_units, withdrawal.recipient)


def _show(session: Session, withdrawal: Withdrawal) -> None:
    money = session.money
    taken = _ledger_units(session, withdrawal.base_units)
    say(f"in your account     {money.amount(withdrawal.available)}")
    say(f"to be withdrawn     {money.amount(taken) if taken else 'nothing'}")
    for view, each in withdrawal.locked:
        say(f"stays in deployment {full(view.id)}: {money.amount(each.total)}")
        say(f"  not earned yet    {money.amount(each.unused)}")
        say(f"  earned            {money.amount(each.earned)} by providers that have not claimed it")
        say(f"  tips              {money.amount(each.tips)} for whoever matches, finishes and closes it")


def _document(session: Session, withdrawal: Withdrawal, sent: Sequence[Sent]) -> dict[str, Any]:
    money = session.money
    return {
        "account": money.number(withdrawal.available),
        "amount": money.number(_ledger_units(session, withdrawal.base_units)),
        "to": withdrawal.recipient,
        "held": [
            {
                "deployment": full(view.id),
                "unused": money.number(each.unused),
                "earned": money.number(each.earned),
                "tips": money.number(each.tips),
            }
            for view, each in withdrawal.locked
        ],
        "transactions": transactions_document(sent),
    }


def _ledger_units(session: Session, base_units: int) -> int:
    return units.to_ledger_units(base_units, session.market.parameters.token_decimals)

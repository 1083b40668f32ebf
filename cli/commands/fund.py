"""`moorage fund`: prepay the orders and leases of a deployment for longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from cli.core.fund_plan import (
    Funding,
    FundPlan,
    Longer,
    NotPossible,
    Payer,
    Spend,
    UpTo,
    Wish,
    describe_funding,
    describe_taken,
    funding_document,
    lasting,
    payer_of,
    plan_funding,
    revivals,
)
from cli.core.view import DeploymentView, full
from cli.desk import Desk, open_desk
from cli.earlier_runs import settle, was_done
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.funding import check_funds, deposit
from cli.options import DEFAULT_FILE, Format, Options, market_options, path_option, refuse_unit
from cli.output import emit, note, say, say_table
from cli.review import review
from cli.selection import Selected, Whose, select_live
from cli.session import Session
from cli.signers import TenantSigner
from cli.transacting import send, transactions_document
from cli.turns import forget, take_turn
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.sender import Sent

PAYERS = {
    Payer.TENANT: "your account on the exchange",
    Payer.MANAGER: "the tenant's account, as its manager",
    Payer.GIVER: "your account, as a gift: what is not used goes to the tenant",
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is going to be paid."""

    view: DeploymentView
    plan: FundPlan
    payer: Payer
    available: int
    """Ledger units in the account that pays."""
    missing_base_units: int
    """Of the token, to be paid in from the wallet first."""
    spendable: int | None
    """Ledger units that a manager may spend still; None: it is none."""


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@click.option("--deployment", "identifier", metavar="ID", help="Anybody's deployment by its id, in place of the file.")
@click.option("--group", "groups", metavar="NAME", multiple=True, help="Only this group; may be repeated.")
@click.option("--for", "longer", metavar="TIME", help="How much longer each group is to last.")
@click.option("--up-to", metavar="TIME", help="How long each group is to last from now on.")
@click.option("--amount", metavar="TOKENS", help="What to spend at most; all groups last equally much longer.")
@market_options(asks=True)
def command(
    environment: Environment,
    options: Options,
    file: Path,
    identifier: str | None,
    groups: tuple[str, ...],
    longer: str | None,
    up_to: str | None,
    amount: str | None,
) -> None:
    """Prepay orders and leases for longer, from the account and, what it lacks, from the wallet.

    A lease whose money has run out comes back to life if nobody has finished it yet.
    """
    typed = {"--for": longer, "--up-to": up_to, "--amount": amount}
    wished = [(option, text) for option, text in typed.items() if text is not None]
    if len(wished) != 1:
        raise click.UsageError("say how long or how much: one of --for TIME, --up-to TIME, --amount TOKENS")
    environment.run(_fund(environment, options, file, identifier, groups, wished[0]))


async def _fund(
    environment: Environment,
    options: Options,
    file: Path,
    identifier: str | None,
    groups: Sequence[str],
    typed: tuple[str, str],
) -> None:
    async with open_desk(environment, options) as desk:
        session, signer = desk.session, desk.signer
        wish = _wish(session, *typed)
        await settle(desk)
        selected = await select_live(session, desk.records, signer.address, file, identifier, Whose.ANY)
        try:
            wished = plan_funding(selected.view, groups, wish, session.money)
            plan = _not_done_yet(desk, wished)
            agreement = await _agreement(session, signer, selected, plan)
        except NotPossible as error:
            raise Failure(ExitStatus.USAGE, str(error)) from None
        if options.output is Format.TEXT:
            _show(session, agreement)
        if wished.fundings and not plan.fundings:
            await forget(desk)
        sent = await _send(desk, agreement) if plan.fundings else []
        if options.output is not Format.TEXT and not (options.is_dry_run and plan.fundings):
            emit(_document(session, agreement, sent), options.output)


def _not_done_yet(desk: Desk, plan: FundPlan) -> FundPlan:
    """Return a plan without what a run that was interrupted has done: nobody wants the rest of it twice."""
    done = [each for each in plan.fundings if was_done(desk, _call(desk.session, each))]
    for each in done:
        note(f"group {each.attempt.group.name} was funded by the run that was interrupted: it is left out")
    return replace(plan, fundings=tuple(each for each in plan.fundings if each not in done))


def _call(session: Session, funding: Funding) -> Call:
    return session.exchange.fund(funding.attempt.key, funding.blocks)


def _wish(session: Session, option: str, typed: str) -> Wish:
    market = session.market
    try:
        if option == "--amount":
            wish: Wish = Spend(units.parse_amount(typed, market.parameters.token_decimals))
        else:
            blocks = units.to_blocks(units.parse_duration(typed), market.seconds_per_block)
            wish = Longer(blocks) if option == "--for" else UpTo(blocks)
    except units.UnitError as error:
        raise refuse_unit(option, error) from error
    if wish in (Spend(0), Longer(0), UpTo(0)):
        raise Failure(ExitStatus.USAGE, f"{option} {typed}: nothing to fund")
    return wish


async def _agreement(session: Session, signer: TenantSigner, selected: Selected, plan: FundPlan) -> Agreement:
    """Return what is going to be paid, by whom.

    Raises:
        NotPossible: the wallet is a manager and may not.
        Failure: nothing can be funded, or the money is not there.
    """
    view, money = selected.view, session.money
    if not plan.fundings and plan.skipped:
        reasons = "; ".join(f"group {name} {reason}" for name, reason in plan.skipped)
        raise Failure(ExitStatus.REFUSED, f"nothing of deployment {full(view.id)} can be funded: {reasons}")
    payer = payer_of(view, signer.address, selected.manager, plan.total, money)
    account = view.tenant if payer is Payer.MANAGER else signer.address
    (held,) = await session.exchange.accounts(None, [account])
    lacking = max(plan.total - held.available, 0)
    if lacking and payer is Payer.MANAGER:
        text = f"tenant {view.tenant} has {money.amount(held.available)} in its account"
        raise Failure(ExitStatus.WALLET, f"{text}, {money.at_most(plan.total)} are needed: it has to pay in")
    missing = units.covering_base_units(lacking, session.market.parameters.token_decimals)
    await check_funds(session, signer.address, missing)
    manager = selected.manager if payer is Payer.MANAGER else None
    return Agreement(view, plan, payer, held.available, missing, manager.spendable if manager is not None else None)


def _show(session: Session, agreement: Agreement) -> None:
    plan, money, view = agreement.plan, session.money, agreement.view
    for name, reason in plan.skipped:
        note(f"skipped group {name}: it {reason}")
    for each in plan.enough:
        say(f"group {each.attempt.group.name} lasts {lasting(each.runway_blocks, money)} already")
    if not plan.fundings:
        return
    say(f"deployment {full(view.id)} of tenant {view.tenant}")
    header, *rows = describe_funding(plan, money)
    say_table(header, rows)
    for name in revivals(plan):
        say(f"group {name} is used up: this revives it, with two periods at least; its provider has to confirm it anew")
    paid_in = units.to_ledger_units(agreement.missing_base_units, session.market.parameters.token_decimals)
    say(f"in all                    {money.at_most(plan.total)} from {PAYERS[agreement.payer]}")
    if agreement.spendable is not None:
        left = money.amount(agreement.spendable)
        say(f"you may spend still       {left}; what is taken counts, not the limit at max-price")
    say(f"in that account now       {money.amount(agreement.available)}")
    say(f"paid in from your wallet  {money.at_most(paid_in)}")


async def _send(desk: Desk, agreement: Agreement) -> list[Sent]:
    session, outgoing = desk.session, desk.outgoing
    plan, missing, money = agreement.plan, agreement.missing_base_units, session.money
    calls = [_call(session, each) for each in plan.fundings]
    outgoing.known |= {each.attempt.id: describe_taken(each, money) for each in plan.fundings}
    outgoing.tenant = agreement.view.tenant if agreement.payer is Payer.MANAGER else None
    paying_in = [session.exchange.deposit(desk.signer.address, missing)] if missing else []
    question = f"Fund deployment {full(agreement.view.id)} with {money.at_most(plan.total)}?"
    if not await review(desk, [*paying_in, *calls], question):
        return []
    async with take_turn(desk):
        sent = [await deposit(desk, missing)] if missing else []
        for each, call in zip(plan.fundings, calls, strict=True):
            sent.append(await send(desk, call))
            if desk.options.output is Format.TEXT:
                lasts = lasting(each.runway_after_blocks, money)
                say(f"block {sent[-1].block_number}  group {each.attempt.group.name} is funded and lasts {lasts}")
    return sent


def _document(session: Session, agreement: Agreement, sent: Sequence[Sent]) -> dict[str, Any]:
    plan, money = agreement.plan, session.money
    paid_in = units.to_ledger_units(agreement.missing_base_units, session.market.parameters.token_decimals)
    return {
        "deployment": full(agreement.view.id),
        "tenant": agreement.view.tenant,
        "block": agreement.view.block_number,
        "groups": [funding_document(each, money) for each in plan.fundings],
        "skipped": dict(plan.skipped),
        "total": money.number(plan.total),
        "paid_by": agreement.payer.name.lower(),
        "paid_in": money.number(paid_in),
        "transactions": transactions_document(sent),
    }

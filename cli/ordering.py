"""What a new deployment costs, what is shown and agreed to before it is ordered, and how it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from cli.choosing import Choice
from cli.core.order_plan import OrderPlan, TooLong, check_span, describe_plan, plan_order
from cli.core.story import Line
from cli.desk import Desk
from cli.failures import ExitStatus, Failure
from cli.funding import check_funds
from cli.options import Format, refuse_unit
from cli.output import ObjectScreen, note, say
from cli.records import Record
from cli.review import review
from cli.session import Session
from cli.submission import submission, submit
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import Undecided
from moorage.types import Address, Group

AGAIN = "run the same command again, nothing is paid or ordered twice"


async def order_plan(
    session: Session, account: Address, groups: tuple[Group, ...], fund_seconds: int, *, is_update: bool = False
) -> OrderPlan:
    """Return what ordering groups costs.

    Raises:
        Failure: nobody can prepay that long.
        NodeUnavailable: the node does not answer.
    """
    market = session.market
    (funds,) = await session.exchange.accounts(None, [account])
    fund_blocks = units.to_blocks(fund_seconds, market.seconds_per_block)
    try:
        check_span(groups, market.parameters, fund_blocks, market.seconds_per_block)
    except TooLong as error:
        raise refuse_unit("--fund", error) from error
    least = 2 * market.parameters.reconfirmation_period_blocks
    if groups and fund_blocks < least:
        note(f"--fund: raised to {session.money.span(least)} ({least} blocks), the least: two periods")
    return plan_order(groups, market.parameters, fund_blocks, funds.available, is_update=is_update)


def missing_of(session: Session, plan: OrderPlan) -> int:
    """Return the ledger units that have to be paid in."""
    return units.to_ledger_units(plan.missing_base_units, session.market.parameters.token_decimals)


def order_lines(session: Session, tenant: Address, file: Path, plan: OrderPlan) -> list[str]:
    """Return the lines that say what is going to be ordered."""
    market = session.market
    return [
        f"deployment of {file.resolve()}",
        f"market: exchange {market.exchange} on chain {market.chain_id} ({session.market_file})",
        f"tenant: {tenant}",
        *describe_plan(plan, session.money, missing_of(session, plan)),
    ]


async def order(desk: Desk, choice: Choice, fund_seconds: int, question: str, *, is_brief: bool = False) -> bool:
    """Show what a new deployment costs and what is going to be signed, ask, and submit it.

    Args:
        is_brief: whether the command ends with this.

    Returns:
        Whether it is on chain now; else nothing was to be sent.

    Raises:
        Failure: it is not possible now, or not known to have arrived; the message says how to go on.
        NotSent: a transaction was refused.
        NodeUnavailable: the node does not answer.
        click.Abort: it was not agreed to.
    """
    plan = await order_plan(desk.session, desk.signer.address, choice.compiled.groups, fund_seconds)
    await _show(desk, choice, plan)
    await check_funds(desk.session, desk.signer.address, plan.missing_base_units)
    call = submission(desk.session, choice.record, choice.compiled, plan)
    if not await agree(desk, choice.record, plan, call, question):
        return False
    with resumable("interrupted while it was submitted"), desk.open_screen(is_brief=is_brief) as screen:
        await submit(desk, choice.record, choice.compiled, plan, screen)
    return True


async def _show(desk: Desk, choice: Choice, plan: OrderPlan) -> None:
    """Show what is going to be ordered."""
    session, options, money = desk.session, desk.options, desk.session.money
    if options.output is Format.TEXT:
        for line in order_lines(session, desk.signer.address, choice.record.file, plan):
            say(line)
    elif not options.is_dry_run:  # what would be signed is the document then
        fields = {"total": money.number(plan.total), "paid_in": money.number(missing_of(session, plan))}
        fields["max_price_per_hour"] = money.hourly_number(plan.max_charge_per_block)
        text = f"at most {money.per_hour(plan.max_charge_per_block)}"
        ObjectScreen(options.output).tell(Line(await session.reader.block_number(), "planned", text, fields))


async def agree(desk: Desk, record: Record, plan: OrderPlan, call: Call, question: str) -> bool:
    """Show a transaction that orders, with what it needs paid in before; return whether it is to be sent now.

    Raises: see cli.review.review.
    """
    deposit = desk.session.exchange.deposit(desk.signer.address, plan.missing_base_units)
    calls = [deposit, call] if plan.missing_base_units else [call]
    # what is signed elsewhere has to find its manifest here
    is_written = desk.options.unsigned_file is not None and not desk.options.is_dry_run
    with desk.records.provisional(record) if is_written else nullcontext():
        return await review(desk, calls, question)


@contextmanager
def resumable(interrupted: str) -> Iterator[None]:
    """Turn an end of which nobody knows what has arrived on chain into a failure that says how to go on."""
    try:
        yield
    except (NodeUnavailable, Undecided) as error:
        raise Failure(ExitStatus.CHAIN_UNAVAILABLE, f"{error}: {AGAIN}") from error
    except asyncio.CancelledError:
        raise Failure(ExitStatus.ABORTED, f"{interrupted}: {AGAIN}") from None

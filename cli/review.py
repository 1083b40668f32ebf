"""What is shown and asked before anything is signed: each step in words, tried out by the node, and what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from cli.allowances import draft_paying
from cli.core import reviewing
from cli.core.decoding import words_of_permit
from cli.core.naming import Contract, Names, PermitTerms, Words
from cli.core.reviewing import Balances
from cli.desk import Desk
from cli.earlier_runs import check_not_done, settle
from cli.gas import estimate, most_wei, with_margin
from cli.new_files import check_free, taken
from cli.options import Format
from cli.outgoing import Paying
from cli.output import emit, note
from cli.preview import Preview, preview
from cli.session import Session
from cli.unsigned import write_unsigned
from cli.wording import decode, names_of, words_for
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.fees import Quote, read_quote
from moorage.chain.market import Market
from moorage.chain.rpc import as_number
from moorage.chain.sender import NotSent

Step = Call | PermitTerms
"""A transaction, or a message that the one after it carries along."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was found out and shown."""

    tried: Preview
    quote: Quote
    most_wei: int | None
    """What all the gas costs at most; None if nobody knows how much is needed."""


async def review(desk: Desk, calls: Sequence[Call], question: str) -> bool:
    """Show what calls do and change, and ask; return whether they are to be sent now.

    A deposit stands for all that it takes: a permit for exactly its amount, or an approval, is shown before it.

    Raises:
        NotSent: one would be refused, or the gas cannot be paid.
        NodeUnavailable: the node does not answer.
        Failure: something has no words, nobody is there to ask, or the file for --unsigned-out is there already.
        click.Abort: it was not agreed to.
    """
    options, session, signer = desk.options, desk.session, desk.signer
    if options.unsigned_file is not None:
        check_free(options.unsigned_file, taken(options.unsigned_file))
    names = names_of(session.market, session.money, signer.address)
    for call in calls:
        words_for(session.market, names, call)
    await settle(desk)
    for call in calls:
        await check_not_done(desk, call)
    steps = await _steps(desk, calls)
    shown = await show(desk, steps)
    if options.is_dry_run:
        return False
    if options.unsigned_file is not None:
        plain = [_as_call(session, step) for step in steps]
        await write_unsigned(options.unsigned_file, session, signer.address, plain, shown.tried, shown.quote)
        return False
    await _check_coin(desk, shown)
    desk.confirm(question)
    await _settle_on(desk, shown, calls)
    return True


async def agree_to_next(desk: Desk, call: Call) -> None:
    """Let what follows from what was agreed to cost as much as that did; show it and ask if it costs more now.

    What would be refused now is not shown: somebody else may have done it, and it is not going to be sent.

    Raises:
        NodeUnavailable: the node does not answer.
        Failure: nobody is there to ask.
        click.Abort: it was not agreed to.
    """
    if call in desk.outgoing.agreed:
        return
    desk.outgoing.gas_wei = agreed_wei = desk.outgoing.shown_wei or 0
    needed = await estimate(desk.session.rpc, desk.signer.address, [call])
    if needed is None or with_margin(needed.wei) <= agreed_wei:
        return
    with suppress(NotSent), desk.paused():
        shown = await _shown(desk, [call], Format.TEXT)
        desk.confirm("Send this?")
        await _settle_on(desk, shown, [call])


async def _settle_on(desk: Desk, shown: Shown, calls: Sequence[Call]) -> None:
    """Take note of what was agreed to, and get ready to sign it."""
    await desk.signer.unlock()
    outgoing = desk.outgoing
    outgoing.gas_wei = outgoing.shown_wei = shown.most_wei
    outgoing.agreed = tuple(calls)


async def _check_coin(desk: Desk, shown: Shown) -> None:
    """See that the wallet can pay for the gas of all steps as it costs now, before anybody is asked.

    Raises:
        NotSent: it can't; of some steps the first ones would be sent all the same.
        NodeUnavailable: the node does not answer.
    """
    if shown.tried.gas is None:
        return
    address = desk.signer.address
    coin = as_number(await desk.session.rpc.call("eth_getBalance", address, "latest"))
    needed = sum(shown.tried.gas) * shown.quote.need_wei
    if coin < needed:
        has, needs = (units.format_amount(wei, reviewing.COIN_DECIMALS) for wei in (coin, needed))
        text = f"{address} has too little of the chain's coin to pay for gas, {has} where {needs} are needed now"
        raise NotSent(text)


async def show(desk: Desk, steps: Sequence[Step], signed_wei: int | None = None) -> Shown:
    """Show what steps do and change, where the question is; with --dry-run for programs as the result.

    Args:
        signed_wei: the most that the gas costs, where that is signed already.

    Raises:
        NotSent: one would be refused.
        NodeUnavailable: the node does not answer.
        Failure: something has no words.
    """
    options = desk.options
    is_result = options.is_dry_run and options.output is not Format.TEXT
    shown = await _shown(desk, steps, options.output if is_result else Format.TEXT, signed_wei)
    if options.is_dry_run:
        note("nothing was sent (--dry-run)")
    return shown


async def agree_again(desk: Desk, paying: Paying, why: str) -> None:
    """Show how tokens are paid in otherwise than it was shown, and ask: nothing is signed that nobody has seen.

    Raises:
        NotSent: it would be refused.
        NodeUnavailable: the node does not answer.
        click.Abort: it was not agreed to.
    """
    deposit = desk.session.exchange.deposit(desk.signer.address, paying.amount_base_units)
    with desk.paused():
        note(f"{why}, so it is paid in another way than was shown:")
        shown = await _shown(desk, [*_paying_steps(paying), deposit], Format.TEXT)
        desk.confirm("Pay it in so?")
    desk.outgoing.paying = paying
    before = desk.outgoing.gas_wei
    desk.outgoing.gas_wei = None if before is None or shown.most_wei is None else before + shown.most_wei


async def _shown(desk: Desk, steps: Sequence[Step], output: Format, most: int | None = None) -> Shown:
    session, address = desk.session, desk.signer.address
    names = names_of(session.market, session.money, address, desk.outgoing.known)
    words = [_words(session.market, names, step) for step in steps]
    plain = [_as_call(session, step) for step in steps]
    tried = await preview(session, address, plain, desk.outgoing.tenant)
    quote = await read_quote(session.rpc)
    if most is None and tried.gas is not None:
        most = most_wei(tried.gas, quote)
    balances = Balances(tried.block.number, tried.before, tried.after, most)
    if output is not Format.TEXT:
        endpoint = {"chain_id": session.market.chain_id, "node": session.rpc.name}
        emit({**endpoint, **reviewing.document(words, balances, names)}, output)
    else:
        where = f"chain {session.market.chain_id}, as the node at {session.rpc.name} tells it"
        for line in reviewing.lines(words, balances, names, where):
            note(line)
    return Shown(tried, quote, most)


async def _steps(desk: Desk, calls: Sequence[Call]) -> list[Step]:
    """Return all that is going to be signed; a key that is elsewhere signs transactions only."""
    steps: list[Step] = []
    for call in calls:
        decoded = decode(desk.session.market, call)
        if decoded is not None and (decoded.contract, decoded.function) == (Contract.EXCHANGE, "deposit"):
            may_permit = desk.options.unsigned_file is None
            amount = decoded.arguments["amount"]
            paying = await draft_paying(desk.session, desk.signer.address, amount, may_permit=may_permit)
            desk.outgoing.paying = paying
            steps += _paying_steps(paying)
        steps.append(call)
    return steps


def _paying_steps(paying: Paying) -> list[Step]:
    return [paying.permit.terms] if paying.permit is not None else list(paying.approvals)


def _words(market: Market, names: Names, step: Step) -> Words:
    if isinstance(step, PermitTerms):
        until = datetime.fromtimestamp(step.deadline_seconds, UTC)
        return words_of_permit(step, names, f"{until:%Y-%m-%d %H:%M:%S} UTC")
    return words_for(market, names, step)


def _as_call(session: Session, step: Step) -> Call:
    """Return a step as a transaction: what a permit allows is what an approval allows."""
    if isinstance(step, PermitTerms):
        return session.token.approve(step.spender, step.amount_base_units)
    return step

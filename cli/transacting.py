"""How every command sends: what is to be signed is shown in words and tried out, agreed to, and sent in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cli.core import reviewing
from cli.core.decoding import words_of, words_of_permit
from cli.core.naming import Contract, Decoded, Names, PermitTerms, Words
from cli.core.reviewing import Balances
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Format, Options
from cli.outgoing import PermitDraft
from cli.output import emit, note
from cli.preview import Preview, preview
from cli.session import Session
from cli.signers import TenantSigner
from cli.turns import forget, landed, look, take_turn
from cli.unsigned import write_unsigned
from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.chain.fees import Quote, read_quote
from moorage.chain.index import read_block
from moorage.chain.market import Market
from moorage.chain.permit import permit_message
from moorage.chain.sender import Refused, Sent
from moorage.money import Money
from moorage.types import Address

PERMIT_SECONDS = 3_600
NOT_TWICE = frozenset(
    {
        "deposit",
        "deposit_with_permit",
        "withdraw",
        "withdraw_to",
        "transfer",
        "transferFrom",
        "fund",
        "update_deployment",
    }
)
"""What does something more each time that it is sent."""

Step = Call | PermitTerms
"""A transaction, or a message that the one after it carries along."""


async def transact(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    calls: Sequence[Call],
    question: str,
) -> list[Sent]:
    """Show what calls do, ask, send each when the one before has landed, and return what landed.

    Returns:
        Nothing if nothing is to be sent: --dry-run, or --unsigned-out, which writes the transactions to a file.

    Raises:
        NotSent: a transaction was refused, or would be; those before it have landed.
        NodeUnavailable: the node does not answer.
        Failure: nobody to ask, a signer elsewhere did not sign, or an interrupted run has done the same.
        click.Abort: it was not agreed to.
    """
    if not await review(environment, options, session, signer, calls, question):
        return []
    async with take_turn(session, signer):
        return [await send(session, signer, call) for call in calls]


async def send(session: Session, signer: TenantSigner, call: Call) -> Sent:
    """Send what was agreed to, and return when it is in a block.

    Raises:
        NotSent: it was refused.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    async with take_turn(session, signer) as turn:
        return await turn.send(call)


async def attempt(session: Session, signer: TenantSigner, call: Call) -> Sent | Refused:
    """Send what was agreed to; being refused is an outcome.

    Raises:
        NotSent: it could not be sent, or is not in a block in time.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    async with take_turn(session, signer) as turn:
        return await turn.attempt(call)


async def settle(options: Options, session: Session, signer: TenantSigner) -> None:
    """Wait for what an interrupted run has sent with the wallet, and tell it: what comes now is planned after that.

    Raises:
        NodeUnavailable: the node does not answer.
        Failure: another run is sending.
    """
    if options.is_sending and signer.outgoing.seen is None:
        signer.outgoing.seen = await look(session, signer)


async def check_not_done(session: Session, signer: TenantSigner, call: Call) -> None:
    """See that an interrupted run has not done the same, where that would be done a second time.

    Raises:
        Failure: it has.
        NodeUnavailable: the node does not answer.
    """
    decoded = decode(session.market, call)
    if decoded is not None and decoded.function in NOT_TWICE and was_done(signer, call):
        await forget(session, signer)
        text = f"{call.description} was done by that run"
        raise Failure(ExitStatus.REFUSED, f"{text}: nothing was sent now, run it again to do it once more")


def was_done(signer: TenantSigner, call: Call) -> bool:
    """Return whether an interrupted run has done the very same."""
    seen = signer.outgoing.seen
    return seen is not None and landed(seen.earlier, call) is not None


async def review(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    calls: Sequence[Call],
    question: str,
) -> bool:
    """Show what calls do and change, and ask; return whether they are to be sent now.

    A deposit stands for all that it takes: a permit for exactly its amount, or an approval, is shown before it.

    Raises:
        NotSent: one would be refused.
        NodeUnavailable: the node does not answer.
        Failure: something has no words, or nobody is there to ask.
        click.Abort: it was not agreed to.
    """
    names = names_of(session.market, session.money, signer.address)
    for call in calls:
        words_for(session.market, names, call)
    await settle(options, session, signer)
    for call in calls:
        await check_not_done(session, signer, call)
    steps = await _steps(options, session, signer, calls)
    tried, quote = await show(options, session, signer, steps)
    if options.is_dry_run:
        return False
    if options.unsigned_file is not None:
        plain = [_as_call(session, step) for step in steps]
        await write_unsigned(options.unsigned_file, session, signer.address, plain, tried, quote)
        return False
    environment.confirm(question, is_agreed=options.is_agreed)
    await signer.unlock()
    return True


async def show(
    options: Options, session: Session, signer: TenantSigner, steps: Sequence[Step]
) -> tuple[Preview, Quote]:
    """Show what steps do and change, where the question is; with --dry-run for programs as the result.

    Raises:
        NotSent: one would be refused.
        NodeUnavailable: the node does not answer.
        Failure: something has no words.
    """
    names = names_of(session.market, session.money, signer.address)
    words = [_words(session.market, names, step) for step in steps]
    tried = await preview(session, signer.address, [_as_call(session, step) for step in steps])
    quote = await read_quote(session.rpc)
    balances = _balances(tried, quote)
    if options.is_dry_run and options.output is not Format.TEXT:
        endpoint = {"chain_id": session.market.chain_id, "node": session.rpc.name}
        emit({**endpoint, **reviewing.document(words, balances, names)}, options.output)
    else:
        where = f"chain {session.market.chain_id}, as the node at {session.rpc.name} tells it"
        for line in reviewing.lines(words, balances, names, where):
            note(line)
    if options.is_dry_run:
        note("nothing was sent (--dry-run)")
    return tried, quote


def names_of(market: Market, money: Money, wallet: Address) -> Names:
    """Return what the words need to know."""
    return Names(money, market.parameters, market.exchange, market.registry, market.token, wallet)


def decode(market: Market, call: Call) -> Decoded | None:
    """Return a call taken apart; None if it is none of the market's contracts, or not in the one form that it has."""
    contracts = {
        market.exchange: Contract.EXCHANGE,
        market.registry: Contract.REGISTRY,
        market.token: Contract.TOKEN,
    }
    contract = contracts.get(call.to)
    found = abi.load(contract).decode_call(call.data) if contract is not None else None
    return None if contract is None or found is None else Decoded(contract, call.to, *found)


def words_for(market: Market, names: Names, call: Call) -> Words:
    """Return what a call does in words.

    Raises:
        Failure: nobody could know what would be signed.
    """
    decoded = decode(market, call)
    words = words_of(decoded, names) if decoded is not None else None
    if words is None:
        text = f"not signed: 0x{call.data[:4].hex()} at {call.to} is no call that can be shown in words"
        raise Failure(ExitStatus.REFUSED, f"{text}, it may do anything")
    return words


async def draft_permit(session: Session, wallet: Address, amount_base_units: int) -> PermitDraft | None:
    """Return a permit for exactly an amount, unsigned; None if the token has none that is known.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    deadline_seconds = (await read_block(session.rpc)).timestamp + PERMIT_SECONDS
    data = await permit_message(session.rpc, session.market, wallet, amount_base_units, deadline_seconds)
    terms = PermitTerms(wallet, session.market.exchange, amount_base_units, deadline_seconds)
    return PermitDraft(terms, data) if data is not None else None


async def exact_allowance(session: Session, wallet: Address, amount_base_units: int) -> list[Call]:
    """Return what lets the exchange take exactly an amount; some tokens want 0 between two allowances.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    exchange = session.market.exchange
    allowed = await session.token.allowance(None, wallet, exchange)
    if allowed == amount_base_units:
        return []
    to_zero = [session.token.approve(exchange, 0)] if allowed else []
    return [*to_zero, session.token.approve(exchange, amount_base_units)]


async def _steps(options: Options, session: Session, signer: TenantSigner, calls: Sequence[Call]) -> list[Step]:
    """Return all that is going to be signed; a key that is elsewhere signs transactions only."""
    steps: list[Step] = []
    for call in calls:
        decoded = decode(session.market, call)
        if decoded is not None and (decoded.contract, decoded.function) == (Contract.EXCHANGE, "deposit"):
            amount = decoded.arguments["amount"]
            draft = None if options.unsigned_file else await draft_permit(session, signer.address, amount)
            signer.outgoing.permit = draft
            steps += [draft.terms] if draft else await exact_allowance(session, signer.address, amount)
        steps.append(call)
    return steps


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


def _balances(tried: Preview, quote: Quote) -> Balances:
    fee = None if tried.gas is None else sum(tried.gas) * quote.fees.max_wei
    return Balances(tried.block.number, tried.before, tried.after, fee)

"""What the five commands share that do a facilitator's work by hand: find what is due, show it, send it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from cli.core.cranks import (
    PAID,
    Crank,
    DeploymentItem,
    Item,
    Moment,
    OrderItem,
    Skipped,
    counted_items,
    describe,
    of_provider,
    sift,
)
from cli.core.view import full
from cli.crank_reader import CrankReader
from cli.desk import Desk, open_desk
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.gas import GasEstimate, estimate
from cli.options import Command, Format, Options, market_options
from cli.output import emit, note, say
from cli.review import review
from cli.session import Session
from cli.transacting import transactions_document
from cli.turns import take_turn
from moorage.chain import abi
from moorage.chain.contracts import Call, Exchange
from moorage.chain.rpc import as_bytes
from moorage.chain.sender import NotSent, Refused, Sent
from moorage.due import batches
from moorage.types import ProviderNumber

WHOLE_MARKET = click.option("--all", "is_all", is_flag=True, help="All that is due on this market.")
OF_PROVIDER = click.option("--provider", metavar="NUMBER", type=click.IntRange(1, 2**32 - 1), help="Only this one's.")
QUESTIONS = {
    Crank.MATCH: "Match {}?",
    Crank.STALE: "End {} as stale?",
    Crank.FINISH: "Finish {}?",
    Crank.CLAIM: "Claim for the providers what {} earned?",
    Crank.RELEASE: "Release the bids that have lost on {}?",
}
NOTHING = {
    Crank.MATCH: "nothing to match",
    Crank.STALE: "nothing is stale",
    Crank.FINISH: "nothing to finish",
    Crank.CLAIM: "nothing to claim",
    Crank.RELEASE: "nothing to release",
}
DONE = {
    Crank.MATCH: "matched",
    Crank.STALE: "ended as stale",
    Crank.FINISH: "finished",
    Crank.CLAIM: "claimed for",
    Crank.RELEASE: "released",
}
ACTED = {
    Crank.MATCH: {"LeaseCreated": "lease"},
    Crank.STALE: {"LeaseStale": "lease"},
    Crank.FINISH: {"LeaseClosed": "lease", "DeploymentClosed": "deployment"},
    Crank.CLAIM: {"LeaseClaimed": "lease"},
    Crank.RELEASE: {"FulfillmentReleased": "order"},
}
"""The events that say on what a transaction has acted, and which argument names it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was asked for."""

    crank: Crank
    identifiers: tuple[str, ...]
    is_all: bool
    provider: ProviderNumber | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What was found."""

    moment: Moment
    ready: tuple[Item, ...]
    skipped: tuple[Skipped, ...]

    def tips(self, crank: Crank) -> int:
        """Return the ledger units that all of it earns."""
        return self.moment.tips(crank, len(self.ready))


def crank_command(crank: Crank, named: str, about: str, *, has_provider: bool = False) -> click.Command:
    """Return the command for one of a facilitator's acts.

    Args:
        crank: the act.
        named: what is named by its id.
        about: the help.
        has_provider: whether it may be done for one provider alone.
    """

    def narrowed(command: Command) -> Command:
        return OF_PROVIDER(command) if has_provider else command

    @click.command(help=about)
    @click.argument("identifiers", metavar=f"[{named}]...", nargs=-1)
    @WHOLE_MARKET
    @narrowed
    @market_options(asks=True)
    def command(
        environment: Environment,
        options: Options,
        identifiers: tuple[str, ...],
        is_all: bool,
        provider: int | None = None,
    ) -> None:
        number = ProviderNumber(provider) if provider else None
        environment.run(turn(environment, options, Asked(crank, identifiers, is_all, number)))

    return command


async def turn(environment: Environment, options: Options, asked: Asked) -> None:
    """Do by hand what facilitators do."""
    if bool(asked.identifiers) == asked.is_all:
        raise click.UsageError("name what is meant by its id, or give --all")
    async with open_desk(environment, options) as desk:
        session = desk.session
        due = await _find(session, asked)
        _check_any(asked, due)
        calls = make_calls(session.exchange, asked.crank, due.ready)
        gas = await estimate(session.rpc, desk.signer.address, calls)
        if options.output is Format.TEXT:
            _show(session, asked, due, gas)
        sent = await _send(desk, asked, due, calls) if calls else []
        _tell(options, session, asked, due, gas, sent)


async def _find(session: Session, asked: Asked) -> Due:
    reader = CrankReader(session.rpc, session.market)
    found = await (reader.all(asked.crank) if asked.is_all else reader.named(asked.crank, asked.identifiers))
    moment = Moment(found.block.number, session.market.parameters, session.money)
    items: Iterable[Item] = found.items
    if asked.provider is not None:
        items = of_provider(items, asked.provider)
    return Due(moment, *sift(asked.crank, items, moment))


def make_calls(exchange: Exchange, crank: Crank, ready: Sequence[Item]) -> list[Call]:
    """Return the transactions, with as much in each as the exchange takes."""
    orders = [item for item in ready if isinstance(item, OrderItem)]
    keys = [item.key for item in orders]
    match crank:
        case Crank.MATCH:
            return [exchange.submit_lease(batch) for batch in batches(keys)]
        case Crank.STALE:
            return [exchange.submit_stale_lease(batch) for batch in batches(keys)]
        case Crank.FINISH:
            ended = [item.id for item in ready if isinstance(item, DeploymentItem)]
            finishing = [exchange.finish_leases(batch) for batch in batches(keys)]
            return [*finishing, *(exchange.deployment_closed(batch) for batch in batches(ended))]
        case Crank.CLAIM:
            return [exchange.claim(batch) for batch in batches(item.id for item in orders)]
        case Crank.RELEASE:
            return [exchange.release_fulfillments(item.id, item.losers) for item in orders]


def _show(session: Session, asked: Asked, due: Due, gas: GasEstimate | None) -> None:
    """Show what is ready, what it pays and costs, and why the rest of what was named is not."""
    for item in due.ready:
        say(describe(asked.crank, item, session.money))
    if not due.ready:
        return
    for skipped in () if asked.is_all else due.skipped:
        note(f"skipped {full(skipped.item.id)}: {skipped.reason}")
    if asked.crank in PAID:
        say(f"tips  {session.money.amount(due.tips(asked.crank))} to your account on the exchange")
    else:
        say("tips  none")
    say(f"gas   {gas or 'unknown: the node refuses it now'}")


def _check_any(asked: Asked, due: Due) -> None:
    """Raise if something was named and nothing of it is ready."""
    if due.ready or asked.is_all:
        return
    reasons = "; ".join(f"{full(skipped.item.id)}: {skipped.reason}" for skipped in due.skipped)
    text = f"{NOTHING[asked.crank]} at block {due.moment.block_number}: {reasons or 'nothing of this provider'}"
    raise Failure(ExitStatus.REFUSED, text)


async def _send(desk: Desk, asked: Asked, due: Due, calls: Sequence[Call]) -> list[Sent]:
    """Send what was agreed to; what somebody else was faster with is no reason to leave out the rest."""
    question = QUESTIONS[asked.crank].format(counted_items(due.ready))
    if not await review(desk, calls, question):
        return []
    async with take_turn(desk) as turn:
        outcomes = [await turn.attempt(call) for call in calls]
    refused = [f"{each.call.description}: {each.reason}" for each in outcomes if isinstance(each, Refused)]
    if len(refused) == len(outcomes):
        raise NotSent("; ".join(refused))
    for text in refused:
        note(text)
    return [each for each in outcomes if isinstance(each, Sent)]


def _tell(
    options: Options, session: Session, asked: Asked, due: Due, gas: GasEstimate | None, sent: list[Sent]
) -> None:
    done = acted_on(asked.crank, sent)
    if options.output is not Format.TEXT and not (options.is_dry_run and due.ready):  # that is shown already
        emit(_document(session, asked, due, gas, sent), options.output)
    elif not due.ready:
        say(f"{NOTHING[asked.crank]} at block {due.moment.block_number}")
    elif sent:
        tips = due.moment.tips(asked.crank, len(done))
        earned = f", tips of {session.money.amount(tips)} earned" if tips else ""
        say(f"block {sent[-1].block_number}  {DONE[asked.crank]} {len(done)}{earned}")


def acted_on(crank: Crank, sent: Iterable[Sent]) -> list[str]:
    """Return the ids of what transactions have acted on, as their logs say: the exchange skips what is not ready."""
    exchange = abi.load("Exchange")
    done = []
    for log in (log for each in sent for log in each.logs):
        event = exchange.decode_event([as_bytes(topic) for topic in log["topics"]], as_bytes(log["data"]))
        if event is not None and event[0] in ACTED[crank]:
            done.append(full(event[1][ACTED[crank][event[0]]]))
    return done


def _document(
    session: Session, asked: Asked, due: Due, gas: GasEstimate | None, sent: Sequence[Sent]
) -> dict[str, Any]:
    done = acted_on(asked.crank, sent)
    return {
        "block": due.moment.block_number,
        "ready": [full(item.id) for item in due.ready],
        "skipped": {full(skipped.item.id): skipped.reason for skipped in (() if asked.is_all else due.skipped)},
        "tips": session.money.number(due.tips(asked.crank)),
        "gas": gas.gas if gas else None,
        "gas_wei": str(gas.wei) if gas else None,
        "done": done,
        "tips_earned": session.money.number(due.moment.tips(asked.crank, len(done))),
        "transactions": [
            {**document, "gas_used": each.gas_used}
            for document, each in zip(transactions_document(sent), sent, strict=True)
        ],
    }

"""What `create`, `deploy` and `plan` share: which deployment a file is, and what is agreed to before it is ordered."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from cli.core.changes import Changes, compare
from cli.core.order_plan import OrderPlan, TooLong, check_span, describe_plan, plan_order
from cli.core.story import Line
from cli.core.view import DeploymentView, full
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.funding import check_funds
from cli.options import Format, Options, refuse_unit
from cli.output import ObjectScreen, Screen, note, note_all, say
from cli.records import Record, Records, Revision
from cli.review import review
from cli.selection import Selected, Whose, by_file
from cli.session import Session
from cli.signers import TenantSigner
from cli.submission import SALT_LENGTH, compiled_for, is_same, manifest_salt, new_record, submission, submit
from moorage import manifest, units
from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import Undecided
from moorage.deployment_file import CompiledDeployment, DeploymentSpec, IncludeRules, load_file
from moorage.types import Address, DeploymentState, Group

AGAIN = "run the same command again, nothing is paid or ordered twice"


@dataclass(frozen=True, slots=True)
class Choice:
    """The deployment that a file is, or is going to be."""

    record: Record
    compiled: CompiledDeployment
    revision: Revision
    """What its agents are to run."""
    is_live: bool
    """Whether it is on chain already, so that it is only followed."""


def loaded(file: Path, rules: IncludeRules) -> DeploymentSpec:
    """Return what a deployment file says, and tell what in it is worth a look.

    Raises:
        DeploymentFileError: the file is not valid.
    """
    whole = load_file(file, rules)
    for warning in whole.warnings:
        note_all(str(warning))
    return whole.spec


async def live_deployment(session: Session, records: Records, file: Path, whose: Whose = Whose.OWN) -> Selected | None:
    """Return the newest deployment of a file that is neither closed nor closing.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    found = await by_file(session, records, file, whose)
    return next((each for each in found if each.view.state is DeploymentState.ACTIVE), None)


async def choose(
    session: Session,
    records: Records,
    tenant: Address,
    file: Path,
    spec: DeploymentSpec,
    *,
    is_new: bool,
    is_sending: bool,
) -> Choice:
    """Return the live deployment of a file, one that was recorded but never arrived on chain, or a new one.

    Args:
        is_new: another one than the live one.
        is_sending: what cannot come back is forgotten; else nothing is written.

    Raises:
        Failure: the file has changed since.
        NodeUnavailable: the node does not answer.
    """
    live = None if is_new else await live_deployment(session, records, file)
    if live is not None:
        return await _taken_up(session, records, live, file, spec, is_sending)
    unsent = None if is_new else await _unsent(session, records, file)
    if unsent is not None:
        compiled = compiled_for(session, spec, manifest_salt(unsent.revisions[0]))
        if is_same(unsent.revisions[0], compiled):
            note(f"deployment {full(unsent.deployment)} was prepared and has not arrived on chain: once more")
            return Choice(unsent, compiled, unsent.revisions[0], False)
    compiled = compiled_for(session, spec, secrets.token_bytes(32))
    record = new_record(session, tenant, file, compiled)
    return Choice(record, compiled, record.revisions[0], False)


async def _taken_up(
    session: Session, records: Records, live: Selected, file: Path, spec: DeploymentSpec, is_sending: bool
) -> Choice:
    assert live.record is not None
    record = await without_replaced(session, live.record, live.view)
    if is_sending and record != live.record:
        records.save(record)
    revision = record.revision(live.view.version)
    if revision is None:
        text = f"deployment {full(record.deployment)} of {file} was updated elsewhere, its manifest is not here: "
        raise Failure(ExitStatus.REFUSED, f"{text}`moorage update -f {file}` brings it to this file")
    compiled = compiled_for(session, spec, manifest_salt(revision))
    changes = changes_to(session, live.view, revision, compiled)
    if not is_same(revision, compiled) and not changes.is_empty:
        raise Failure(ExitStatus.REFUSED, _has_changed(session, record, revision, file, spec))
    note(f"taking up deployment {full(record.deployment)}")
    for hint in _unlike(changes, file):
        note(hint)
    return Choice(record, compiled, revision, True)


def _has_changed(session: Session, record: Record, running: Revision, file: Path, spec: DeploymentSpec) -> str:
    newest = record.revisions[0]
    if newest != running and is_same(newest, compiled_for(session, spec, manifest_salt(newest))):
        begun = f"an update of deployment {full(record.deployment)} to this file was begun and is not on chain"
        return f"{begun}: `moorage update -f {file}` goes on with it"
    return (
        f"{file} has changed since deployment {full(record.deployment)} was made of it: `moorage plan -f {file}` "
        f"shows what, `moorage update -f {file}` brings it there, --new orders another one"
    )


def _unlike(changes: Changes, file: Path) -> list[str]:
    """Return what is different all the same, and only an update could change, or nothing."""
    hints = [f"group {group.name} has ended: `moorage update -f {file}` orders it again" for group in changes.added]
    if changes.wait_duration is not None:
        there, wanted = changes.wait_duration
        hints.append(f"wait-duration stays {there} blocks, not {wanted}: a deployment keeps what it was made with")
    return hints


async def without_replaced(session: Session, record: Record, view: DeploymentView) -> Record:
    """Return a record without the versions that can't come back, as far as the node tells: the newest one is final."""
    revision = record.revision(view.version)
    if not record.earlier or revision != record.revisions[0]:
        return record
    with suppress(NodeUnavailable):
        final = await read_block(session.rpc, "finalized")
        then, now = [(await session.exchange.deployments(block, [record.deployment]))[0] for block in (final, None)]
        if then is not None and now is not None and then.update_number == now.update_number:
            return record.narrowed(revision)
    return record


def changes_to(
    session: Session, view: DeploymentView, running: Revision | None, compiled: CompiledDeployment
) -> Changes:
    """Return what an update of a deployment to a file would change."""
    there = manifest.decode(running.manifest) if running is not None else None
    groups, wait_blocks = compiled.groups, compiled.wait_duration_blocks
    return compare(view, there, groups, wait_blocks, compiled.manifest, session.money)


async def _unsent(session: Session, records: Records, file: Path) -> Record | None:
    for record in records.of_file(file):
        was_made_here = len(record.salt) == SALT_LENGTH
        if was_made_here and await session.reader.view(record.deployment) is None:
            return record
    return None


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


async def agree(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    records: Records,
    choice: Choice,
    plan: OrderPlan,
    question: str,
) -> bool:
    """Show what is going to be ordered and signed, and return whether it is to be sent now."""
    money = session.money
    if options.output is Format.TEXT:
        for line in order_lines(session, signer.address, choice.record.file, plan):
            say(line)
    elif not options.is_dry_run:  # what would be signed is the document then
        fields = {"total": money.number(plan.total), "paid_in": money.number(missing_of(session, plan))}
        fields["max_price_per_hour"] = money.hourly_number(plan.max_charge_per_block)
        text = f"at most {money.per_hour(plan.max_charge_per_block)}"
        ObjectScreen(options.output).tell(Line(await session.reader.block_number(), "planned", text, fields))
    await check_funds(session, signer.address, plan.missing_base_units)
    call = submission(session, choice.record, choice.compiled, plan)
    return await agree_to(environment, options, session, signer, records, choice.record, plan, call, question)


async def agree_to(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    records: Records,
    record: Record,
    plan: OrderPlan,
    call: Call,
    question: str,
) -> bool:
    """Show a transaction that orders, with what it needs paid in before; return whether it is to be sent now."""
    paying = [session.exchange.deposit(signer.address, plan.missing_base_units)] if plan.missing_base_units else []
    # what is signed elsewhere has to find its manifest here
    is_written = options.unsigned_file is not None and not options.is_dry_run
    kept = records.provisional(record) if is_written else nullcontext()
    with kept:
        return await review(environment, options, session, signer, [*paying, call], question)


async def order(
    session: Session, signer: TenantSigner, records: Records, choice: Choice, plan: OrderPlan, screen: Screen
) -> None:
    """Submit what was agreed to.

    Raises:
        Failure: it is not known to have arrived; the message says how to go on.
        NotSent: a transaction was refused.
    """
    with resumable("interrupted while it was submitted"):
        await submit(session, signer, records, choice.record, choice.compiled, plan, screen)


@contextmanager
def resumable(interrupted: str) -> Iterator[None]:
    """Turn an end of which nobody knows what has arrived on chain into a failure that says how to go on."""
    try:
        yield
    except (NodeUnavailable, Undecided) as error:
        raise Failure(ExitStatus.CHAIN_UNAVAILABLE, f"{error}: {AGAIN}") from error
    except asyncio.CancelledError:
        raise Failure(ExitStatus.ABORTED, f"{interrupted}: {AGAIN}") from None

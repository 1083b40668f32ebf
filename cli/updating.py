"""From a changed file to its deployment: what changes, what it costs, one transaction, recorded before it is sent."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click

from cli.choosing import changes_to
from cli.core.changes import Changes
from cli.core.costs import describe_ends, describe_rate, rate_of
from cli.core.order_plan import OrderPlan
from cli.core.plan_report import changes_document, describe_changes, describe_payments
from cli.core.view import DeploymentView, full
from cli.desk import Desk
from cli.failures import ExitStatus, Failure, Interrupted
from cli.funding import check_funds
from cli.options import Format
from cli.ordering import agree, missing_of, order_plan, resumable
from cli.output import Screen, emit_line, note, say
from cli.records import Record, Revision
from cli.selection import Selected
from cli.session import Session
from cli.submission import compiled_for, manifest_salt, pay_in, terms_digest
from cli.transacting import send
from moorage import manifest
from moorage.chain.contracts import Call
from moorage.chain.sender import NotSent, Undecided
from moorage.crash import crash_point
from moorage.deployment_file import CompiledDeployment, DeploymentSpec
from moorage.manifest import MAX_GROUPS

UNKNOWN_SALT = b""
"""Of a deployment that another machine has submitted."""


@dataclass(frozen=True, slots=True)
class Update:
    """What is about to be done to a deployment."""

    view: DeploymentView
    before: Record | None
    """What this machine has of it; None if nothing."""
    compiled: CompiledDeployment
    revision: Revision
    """What its agents are to run afterwards."""
    has_version: bool
    """Whether the manifest changes."""
    changes: Changes

    @property
    def is_needed(self) -> bool:
        """Whether the chain says something else than the file."""
        return self.has_version or bool(self.changes.added or self.changes.ended)


def prepare(session: Session, selected: Selected, spec: DeploymentSpec) -> Update:
    """Return what brings a deployment to a file. A version that was recorded for the same file before is used again.

    Raises:
        DeploymentFileError: the market cannot hold what the file asks for.
    """
    record, view = selected.record, selected.view
    running = record.revision(view.version) if record is not None else None
    if running is not None:
        update = _prepared(session, selected, running, spec, manifest_salt(running))
        if update.changes.services == ():
            return _same_services(update, running)
    newest = record.revisions[0] if record is not None else None
    if newest is not None:
        update = _prepared(session, selected, running, spec, manifest_salt(newest))
        if update.revision.manifest == newest.manifest:
            return update
    return _prepared(session, selected, running, spec, secrets.token_bytes(32))


def _prepared(
    session: Session, selected: Selected, running: Revision | None, spec: DeploymentSpec, salt: bytes
) -> Update:
    view, compiled = selected.view, compiled_for(session, spec, salt)
    revision = Revision(manifest.encode(compiled.manifest), terms_digest(compiled))
    changes = changes_to(session, view, running, compiled)
    return Update(view, selected.record, compiled, revision, revision.version != view.version, changes)


def _same_services(update: Update, running: Revision) -> Update:
    """Return an update that leaves the version: services in another order in the file are no reason for a new one."""
    revision = Revision(running.manifest, update.revision.terms_digest)
    return replace(update, revision=revision, has_version=False)


async def update_plan(session: Session, update: Update, fund_seconds: int) -> OrderPlan:
    """Return what the added groups cost.

    Raises:
        Failure: nobody can prepay that long.
        NodeUnavailable: the node does not answer.
    """
    return await order_plan(session, update.view.tenant, update.changes.added, fund_seconds, is_update=True)


def update_lines(session: Session, update: Update, plan: OrderPlan) -> list[str]:
    """Return the lines that say what an update does and costs."""
    view, money = update.view, session.money
    rate = rate_of(update.compiled.groups, session.market.parameters, update.changes)
    return [
        f"deployment {full(view.id)} at block {view.block_number}",
        *describe_changes(view, update.changes, money),
        *describe_rate(rate, money),
        *describe_payments(view, update.changes, plan, money, missing_of(session, plan)),
    ]


async def bring(desk: Desk, update: Update, file: Path, fund_seconds: int) -> bool:
    """Show what an update does and what is going to be signed, ask, and send it; nothing if it is not needed.

    Returns:
        Whether the deployment is as its file says now; else nothing was to be sent.

    Raises:
        Failure: it is not possible now, or not known to have arrived; the message says how to go on.
        NotSent: a transaction was refused.
        NodeUnavailable: the node does not answer.
        click.Abort: it was not agreed to.
    """
    plan = await update_plan(desk.session, update, fund_seconds)
    if not update.is_needed:
        note(f"{file} and deployment {full(update.view.id)} say the same: nothing to update")
        if desk.options.is_sending:
            await desk.signer.unlock()
        return desk.options.is_sending
    _show(desk, update, plan)
    check_room(update.changes)
    await _check_money(desk, update, plan)
    _tell_beside(desk, update)
    record = recorded(update, file)
    if not await agree(desk, record, plan, call_of(desk.session, update, plan), "Update?"):
        return False
    with desk.open_screen() as screen:
        await send_update(desk, record, update, plan, screen)
    return True


def _show(desk: Desk, update: Update, plan: OrderPlan) -> None:
    """Show what an update does."""
    session, options = desk.session, desk.options
    if options.output is Format.TEXT:
        for line in update_lines(session, update, plan):
            say(line)
    elif not options.is_dry_run:  # what would be signed is the document then
        text = f"what changes in deployment {full(update.view.id)}"
        changes = changes_document(update.view, update.changes, session.money)
        emit_line({"event": "planned", "text": text, **changes}, options.output)


def _tell_beside(desk: Desk, update: Update) -> None:
    """Have shown beside the call what the chain and the file say of it, and the account that is spent."""
    view, outgoing = update.view, desk.outgoing
    outgoing.known |= describe_ends(view, desk.session.money)
    if desk.options.output is Format.TEXT:
        outgoing.known[view.id] = "what changes in it is listed above"
    if desk.signer.address != view.tenant:
        outgoing.tenant = view.tenant


def check_room(changes: Changes) -> None:
    """Check that not too many groups would live.

    Raises:
        Failure: they would.
    """
    if changes.excess_groups:
        text = (
            f"{changes.excess_groups} groups too many would live, {MAX_GROUPS} may, and a lease lives until its "
            "provider has reset: nothing was sent; change fewer groups at a time, or wait for those that are closing"
        )
        raise Failure(ExitStatus.REFUSED, text)


async def _check_money(desk: Desk, update: Update, plan: OrderPlan) -> None:
    if plan.missing_base_units and desk.signer.address != update.view.tenant:
        missing = desk.session.money.at_most(missing_of(desk.session, plan))
        text = f"the account of tenant {update.view.tenant} lacks {missing}: the tenant has to pay that in"
        raise Failure(ExitStatus.REFUSED, text)
    await check_funds(desk.session, desk.signer.address, plan.missing_base_units)


def call_of(session: Session, update: Update, plan: OrderPlan) -> Call:
    """Return the transaction of an update."""
    changes = update.changes
    version = update.revision.version if update.has_version else None
    content = changes.added, plan.deposits, changes.removed_keys
    return session.exchange.update_deployment(update.view.id, version, *content)


async def send_update(desk: Desk, record: Record, update: Update, plan: OrderPlan, screen: Screen) -> None:
    """Record the new version, pay in what is missing, and send what was agreed to.

    Args:
        record: see `recorded`; what there was before is there again if the exchange refuses.

    Raises:
        Failure: it is not known to have arrived; the message says how to go on.
        NotSent: a transaction was refused.
    """
    with resumable("interrupted while the update was sent, the version before goes on until it arrives"):
        crash_point("before-recording")
        desk.records.save(record)
        crash_point("after-recording")
        try:
            await pay_in(desk, plan.missing_base_units, screen)
            screen.show("updating: waiting for the block", ())
            await send(desk, call_of(desk.session, update, plan))
        except (Undecided, Interrupted):  # its manifest has to be here when it arrives
            raise
        except (NotSent, Failure, click.Abort):
            desk.records.put_back(record.deployment, update.before)
            raise
        crash_point("after-submitting")


def recorded(update: Update, file: Path) -> Record:
    """Return the record of an update that is about to be sent: with what may be on chain until it is final."""
    record, revision = update.before, update.revision
    if record is None:
        now, identifier = int(time.time()), update.view.id
        return Record(identifier, file.resolve(), UNKNOWN_SALT, revision.manifest, revision.terms_digest, now)
    if record.revisions[0].manifest == revision.manifest:
        return record.corrected(revision.terms_digest)
    return record.updated(revision.manifest, revision.terms_digest)

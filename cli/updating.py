"""From a changed file to its deployment: what changes, what it costs, one transaction, recorded before it is sent."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import click

from cli.core.changes import Changes
from cli.core.costs import describe_ends, describe_rate, rate_of
from cli.core.order_plan import OrderPlan
from cli.core.plan_report import changes_document, describe_changes, describe_payments
from cli.core.view import DeploymentView, full
from cli.environment import Environment
from cli.failures import ExitStatus, Failure, Interrupted
from cli.funding import check_funds
from cli.options import Format, Options
from cli.ordering import agree_to, changes_to, missing_of, order_plan, resumable
from cli.output import Screen, emit_line, say
from cli.records import Record, Records, Revision
from cli.selection import Selected
from cli.session import Session
from cli.signers import TenantSigner
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
        update = _prepared(session, view, running, spec, manifest_salt(running))
        if update.changes.services == ():
            return _same_services(update, running)
    newest = record.revisions[0] if record is not None else None
    if newest is not None:
        update = _prepared(session, view, running, spec, manifest_salt(newest))
        if update.revision.manifest == newest.manifest:
            return update
    return _prepared(session, view, running, spec, secrets.token_bytes(32))


def _prepared(
    session: Session, view: DeploymentView, running: Revision | None, spec: DeploymentSpec, salt: bytes
) -> Update:
    compiled = compiled_for(session, spec, salt)
    revision = Revision(manifest.encode(compiled.manifest), terms_digest(compiled))
    changes = changes_to(session, view, running, compiled)
    return Update(view, compiled, revision, revision.version != view.version, changes)


def _same_services(update: Update, running: Revision) -> Update:
    """Return an update that leaves the version: services in another order in the file are no reason for a new one."""
    revision = Revision(running.manifest, update.revision.terms_digest)
    return Update(update.view, update.compiled, revision, False, update.changes)


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


async def agree(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    records: Records,
    record: Record,
    update: Update,
    plan: OrderPlan,
) -> bool:
    """Show what an update does and what is going to be signed; return whether it is to be sent now.

    Raises:
        Failure: it is not possible now, or there is too little money.
    """
    if options.output is Format.TEXT:
        for line in update_lines(session, update, plan):
            say(line)
    elif not options.is_dry_run:  # what would be signed is the document then
        text = f"what changes in deployment {full(update.view.id)}"
        changes = changes_document(update.view, update.changes, session.money)
        emit_line({"event": "planned", "text": text, **changes}, options.output)
    check_room(update.changes)
    await _check_money(session, signer, update, plan)
    _tell_beside(options, session, signer, update)
    call = call_of(session, update, plan)
    return await agree_to(environment, options, session, signer, records, record, plan, call, "Update?")


def _tell_beside(options: Options, session: Session, signer: TenantSigner, update: Update) -> None:
    """Have shown beside the call what the chain and the file say of it, and the account that is spent."""
    view, outgoing = update.view, signer.outgoing
    outgoing.known |= describe_ends(view, session.money)
    if options.output is Format.TEXT:
        outgoing.known[view.id] = "what changes in it is listed above"
    if signer.address != view.tenant:
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


async def _check_money(session: Session, signer: TenantSigner, update: Update, plan: OrderPlan) -> None:
    if plan.missing_base_units and signer.address != update.view.tenant:
        missing = session.money.at_most(missing_of(session, plan))
        text = f"the account of tenant {update.view.tenant} lacks {missing}: the tenant has to pay that in"
        raise Failure(ExitStatus.REFUSED, text)
    await check_funds(session, signer.address, plan.missing_base_units)


def call_of(session: Session, update: Update, plan: OrderPlan) -> Call:
    """Return the transaction of an update."""
    changes = update.changes
    version = update.revision.version if update.has_version else None
    content = changes.added, plan.deposits, changes.removed_keys
    return session.exchange.update_deployment(update.view.id, version, *content)


async def send_update(
    session: Session,
    signer: TenantSigner,
    records: Records,
    before: Record | None,
    record: Record,
    update: Update,
    plan: OrderPlan,
    screen: Screen,
) -> None:
    """Record the new version, pay in what is missing, and send what was agreed to.

    Args:
        before: the record as it was; it is that again if the exchange refuses.
        record: see `recorded`.

    Raises:
        Failure: it is not known to have arrived; the message says how to go on.
        NotSent: a transaction was refused.
    """
    with resumable("interrupted while the update was sent, the version before goes on until it arrives"):
        await _send(session, signer, records, before, record, update, plan, screen)


async def _send(
    session: Session,
    signer: TenantSigner,
    records: Records,
    before: Record | None,
    record: Record,
    update: Update,
    plan: OrderPlan,
    screen: Screen,
) -> None:
    crash_point("before-recording")
    records.save(record)
    crash_point("after-recording")
    call = call_of(session, update, plan)
    try:
        await pay_in(session, signer, plan.missing_base_units, screen)
        screen.show("updating: waiting for the block", ())
        await send(session, signer, call)
    except (Undecided, Interrupted):  # its manifest has to be here when it arrives
        raise
    except (NotSent, Failure, click.Abort):
        records.put_back(record.deployment, before)
        raise
    crash_point("after-submitting")


def recorded(record: Record | None, update: Update, file: Path) -> Record:
    """Return the record of an update that is about to be sent: with what may be on chain until it is final."""
    revision = update.revision
    if record is None:
        now, identifier = int(time.time()), update.view.id
        return Record(identifier, file.resolve(), UNKNOWN_SALT, revision.manifest, revision.terms_digest, now)
    if record.revisions[0].manifest == revision.manifest:
        return record.corrected(revision.terms_digest)
    return record.updated(revision.manifest, revision.terms_digest)

"""Which deployment a file is: a live one, one that was prepared and has not arrived on chain, or a new one."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.core.changes import Changes, compare
from cli.core.view import DeploymentView, full
from cli.desk import Desk
from cli.failures import ExitStatus, Failure
from cli.output import note, note_all
from cli.records import Record, Records, Revision
from cli.selection import Selected, Whose, by_file
from cli.session import Session
from cli.submission import SALT_LENGTH, compiled_for, is_same, manifest_salt, new_record
from moorage import manifest
from moorage.chain.index import read_block
from moorage.chain.rpc import NodeUnavailable
from moorage.deployment_file import CompiledDeployment, DeploymentSpec, IncludeRules, load_file
from moorage.types import DeploymentState


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


async def choose(desk: Desk, file: Path, spec: DeploymentSpec, *, is_new: bool) -> Choice:
    """Return the live deployment of a file, one that was recorded but never arrived on chain, or a new one.

    Args:
        is_new: another one than the live one.

    Raises:
        Failure: the file has changed since.
        NodeUnavailable: the node does not answer.
    """
    session = desk.session
    live = None if is_new else await live_deployment(session, desk.records, file)
    if live is not None:
        return await _taken_up(desk, live, file, spec)
    unsent = None if is_new else await _unsent(desk, file)
    if unsent is not None:
        compiled = compiled_for(session, spec, manifest_salt(unsent.revisions[0]))
        if is_same(unsent.revisions[0], compiled):
            note(f"deployment {full(unsent.deployment)} was prepared and has not arrived on chain: once more")
            return Choice(unsent, compiled, unsent.revisions[0], False)
    compiled = compiled_for(session, spec, secrets.token_bytes(32))
    record = new_record(session, desk.signer.address, file, compiled)
    return Choice(record, compiled, record.revisions[0], False)


async def _taken_up(desk: Desk, live: Selected, file: Path, spec: DeploymentSpec) -> Choice:
    assert live.record is not None
    session = desk.session
    record = await without_replaced(session, live.record, live.view)
    if desk.options.is_sending and record != live.record:  # else nothing is written
        desk.records.save(record)
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


async def _unsent(desk: Desk, file: Path) -> Record | None:
    for record in desk.records.of_file(file):
        was_made_here = len(record.salt) == SALT_LENGTH
        if was_made_here and await desk.session.reader.view(record.deployment) is None:
            return record
    return None

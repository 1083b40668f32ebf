"""Which deployment a command is about: the one of a file, or the one whose id is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.core.view import DeploymentView, full
from cli.failures import ExitStatus, Failure
from cli.records import Record, Records
from cli.session import Session
from moorage.types import Address, DeploymentId, DeploymentState

ID_DIGITS = 64
SHORTEST_PREFIX = 8


@dataclass(frozen=True, slots=True)
class Selected:
    """A deployment on chain, with what this machine remembers of it, if anything."""

    view: DeploymentView
    record: Record | None


async def by_file(session: Session, records: Records, file: Path) -> tuple[Selected, ...]:
    """Return the deployments of a file that are not closed, the newest first.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    found = []
    for record in records.of_file(file):
        view = await session.reader.view(record.deployment)
        if view is not None and view.state is not DeploymentState.CLOSED:
            found.append(Selected(view, record))
    return tuple(found)


async def select(
    session: Session,
    records: Records,
    tenant: Address,
    file: Path,
    identifier: str | None,
    *,
    is_managed: bool = False,
) -> Selected | None:
    """Return the deployment that is meant; None if the file has none that is not closed.

    Args:
        identifier: of the deployment, or its first digits; None to go by the file.
        is_managed: whether it may be that of somebody else, if its whole id is given.

    Raises:
        Failure: no deployment of the tenant has this id, or the file has several.
    """
    if identifier is not None:
        return await _by_id(session, records, tenant, identifier, is_managed)
    found = await by_file(session, records, file)
    if len(found) > 1:
        ids = ", ".join(full(each.view.id) for each in found)
        raise Failure(ExitStatus.USAGE, f"{file} has {len(found)} deployments, name one with --deployment: {ids}")
    return found[0] if found else None


async def _by_id(session: Session, records: Records, tenant: Address, identifier: str, is_managed: bool) -> Selected:
    digits = identifier.removeprefix("0x").lower()
    is_hex = all(character in "0123456789abcdef" for character in digits)
    if not is_hex or not SHORTEST_PREFIX <= len(digits) <= ID_DIGITS:
        text = f"--deployment {identifier!r}: an id is 0x and {ID_DIGITS} hex digits, or at least its first 8"
        raise Failure(ExitStatus.USAGE, text)
    if len(digits) == ID_DIGITS:
        view = await session.reader.view(DeploymentId(bytes.fromhex(digits)))
        matches: Sequence[DeploymentView] = [view] if view is not None and (is_managed or view.tenant == tenant) else []
    else:
        matches = [view for view in await session.reader.of_tenant(tenant) if view.id.hex().startswith(digits)]
    if len(matches) != 1:
        found = "several deployments" if matches else "no deployment"
        text = f"--deployment {identifier}: {found} of wallet {tenant} with this id; `moorage list` shows all"
        raise Failure(ExitStatus.USAGE, text)
    return Selected(matches[0], records.find(matches[0].id))

"""Which deployment a command is about: the one of a file, or the one whose id is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path

from cli.core.identifiers import NotAnId, beginning_with, digits_of
from cli.core.view import DeploymentView, full
from cli.failures import ExitStatus, Failure
from cli.records import Record, Records
from cli.session import Session
from moorage.manifest import Workload, decode
from moorage.types import Address, DeploymentId, DeploymentState, Manager


class Whose(Enum):
    """Which deployments may be meant."""

    OWN = auto()
    """Those of the wallet."""
    MANAGED = auto()
    """Those that it is a manager of, too."""
    ANY = auto()
    """Anybody's, if its id is given."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A deployment on chain, with what this machine remembers of it, if anything."""

    view: DeploymentView
    record: Record | None
    manager: Manager | None = None
    """What the wallet may do for it if it is another tenant's."""


async def by_file(session: Session, records: Records, file: Path, whose: Whose = Whose.OWN) -> tuple[Selected, ...]:
    """Return the deployments of a file that are not closed, the newest first: the wallet's, else those it manages.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    own = await _of_tenant(session, records, file)
    if own or whose is Whose.OWN:
        return tuple(own)
    found = [each for others in records.others() for each in await _of_tenant(session, others, file)]
    managers = [(await session.exchange.managers(None, each.view.id, [records.tenant]))[0] for each in found]
    pairs = zip(found, managers, strict=True)
    return tuple(replace(each, manager=manager) for each, manager in pairs if manager is not None)


async def _of_tenant(session: Session, records: Records, file: Path) -> list[Selected]:
    found = []
    for record in records.of_file(file):
        view = await session.reader.view(record.deployment)
        if view is not None and view.state is not DeploymentState.CLOSED and view.tenant == records.tenant:
            found.append(Selected(view, record))
    return found


async def select(
    session: Session,
    records: Records,
    wallet: Address,
    file: Path,
    identifier: str | None,
    whose: Whose = Whose.OWN,
) -> Selected | None:
    """Return the deployment that is meant; None if the file has none that is not closed.

    Args:
        wallet: of the tenant, or of a manager.
        identifier: of the deployment, or its first digits; None to go by the file.
        whose: which may be meant; one of which the wallet is no manager is named by its id.

    Raises:
        Failure: no such deployment has this id, or the file has several.
    """
    if identifier is not None:
        return await _by_id(session, records, wallet, identifier, whose)
    found = await by_file(session, records, file, whose)
    if len(found) > 1:
        ids = ", ".join(full(each.view.id) for each in found)
        raise Failure(ExitStatus.USAGE, f"{file} has {len(found)} deployments, name one with --deployment: {ids}")
    return found[0] if found else None


async def select_live(
    session: Session,
    records: Records,
    wallet: Address,
    file: Path,
    identifier: str | None,
    whose: Whose = Whose.OWN,
) -> Selected:
    """Return the deployment that is meant, see `select`.

    Raises:
        Failure: there is none.
    """
    selected = await select(session, records, wallet, file, identifier, whose)
    if selected is None:
        raise Failure(ExitStatus.ERROR, f"{file} has no live deployment of wallet {wallet}: see `moorage list`")
    return selected


async def _by_id(session: Session, records: Records, wallet: Address, identifier: str, whose: Whose) -> Selected:
    try:
        digits = digits_of(identifier)
    except NotAnId as error:
        raise Failure(ExitStatus.USAGE, f"--deployment {error}") from None
    tenants = await session.reader.known()
    matching = beginning_with(digits, tenants)
    own = [each for each in matching if tenants[each] == wallet]
    view = await _only(session, own or matching, identifier, wallet)
    if own:
        return Selected(view, records.find(view.id))
    (manager,) = await session.exchange.managers(None, view.id, [wallet])
    if whose is Whose.ANY or (manager is not None and whose is Whose.MANAGED):
        return Selected(view, records.of(view.tenant).find(view.id), manager)
    raise Failure(ExitStatus.USAGE, _of_another(view, manager, identifier, wallet))


async def _only(session: Session, ids: Sequence[DeploymentId], identifier: str, wallet: Address) -> DeploymentView:
    if len(ids) > 1:
        raise Failure(ExitStatus.USAGE, f"--deployment {identifier}: several deployments, give more digits")
    view = await session.reader.view(ids[0]) if ids else None
    if view is None:
        raise Failure(ExitStatus.USAGE, _unknown(identifier, wallet))
    return view


def _unknown(identifier: str, wallet: Address) -> str:
    return f"--deployment {identifier}: no deployment of wallet {wallet} has this id; `moorage list` shows all"


def _of_another(view: DeploymentView, manager: Manager | None, identifier: str, wallet: Address) -> str:
    if manager is None:
        return _unknown(identifier, wallet)
    text = f"deployment {full(view.id)} is of tenant {view.tenant}, and wallet {wallet} is a manager of it"
    return f"{text}: only the tenant can do this"


def check_service(selected: Selected, service: str) -> None:
    """See that a deployment has a service, if this machine has its manifest.

    Raises:
        Failure: it has not.
    """
    names = {workload.name for _, workload in _workloads(selected)}
    if names and service not in names:
        there = ", ".join(sorted(names))
        raise Failure(ExitStatus.USAGE, f"no service {service!r} in this deployment: there are {there}")


def datacenters_of(selected: Selected, service: str) -> frozenset[str]:
    """Return in which datacenters a service runs; none if this machine does not have the deployment's manifest."""
    return frozenset(group for group, workload in _workloads(selected) if workload.name == service)


def _workloads(selected: Selected) -> tuple[tuple[str, Workload], ...]:
    """Return the workloads of a deployment with their groups, if what this machine has is the version on chain."""
    revision = selected.record.revision(selected.view.version) if selected.record is not None else None
    groups = decode(revision.manifest).groups if revision is not None else ()
    return tuple((group.name, workload) for group in groups for workload in group.workloads)

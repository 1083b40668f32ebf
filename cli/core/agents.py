"""What to ask the providers' agents next, and what their answers mean: manifests are delivered until they run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from cli.core.story import Line
from cli.core.view import Attempt, DeploymentView, full
from moorage.told import BEING_TRIED, VERSION_BEFORE
from moorage.types import OrderId, OrderState, ProviderNumber, Version

FIRST_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 30.0
COMING_UP_SECONDS = 1.0
RUNNING_SECONDS = 10.0
RUNNING = "running"
DONE = "done"
"""A job has ended well, and is not started again."""
QUIET_FAILURES = 2
"""An agent that has not seen the newest block yet says no; a few seconds later that is over."""
ALL_DONE = "all workloads are done: their leases are paid for until `moorage delete` ends them"
FAILURES_WITHOUT_HOPE = 8
"""After so many in a row, a minute and a half, it is said what becomes of the lease."""
DIRECT_DELIVERIES = 2
"""To so many agents a manifest is sent; the others get it from them."""
PASSING_ON_SECONDS = 45.0
"""So long agents are given to pass a manifest on; who lacks it then gets it from here."""
REFUSALS_THAT_COUNT = 5
"""A refusal may come from an agent that is a few blocks behind; so many in a row are meant."""


class Update(StrEnum):
    """How far a new version is that is tried while the one before goes on."""

    UPDATING = "updating"
    FAILED = "failed"
    """It does not work, and is tried again."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of a workload, see moorage.agent_api.ConnectionStatus."""

    name: str
    direction: str
    workload: str
    datacenter: str
    state: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class ManifestNews:
    """How far the manifest on chain has come to an agent, see moorage.agent_api.ManifestStatus."""

    state: str
    source: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Workload:
    name: str
    state: str
    reason: str | None
    addresses: tuple[str, ...]
    connections: tuple[Connection, ...] = ()

    @property
    def is_up(self) -> bool:
        """Whether it runs, or is done, as the version that is wanted."""
        return self.state in (RUNNING, DONE) and not self.is_before

    @property
    def is_kept_back(self) -> bool:
        """Whether its new version does not work, so that the one before goes on."""
        return self.is_before and BEING_TRIED not in (self.reason or "")

    @property
    def is_before(self) -> bool:
        """Whether the version before goes on in its place."""
        return VERSION_BEFORE in (self.reason or "")

    @property
    def update(self) -> Update | None:
        """How it is with the new version while the one before goes on."""
        if not self.is_before:
            return None
        return Update.FAILED if self.is_kept_back else Update.UPDATING


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says of a lease."""

    version: Version | None
    """Of the manifest that runs; None until it has one."""
    workloads: tuple[Workload, ...]
    manifest: ManifestNews | None = None
    """None: the agent does not tell."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The agent has taken the manifest."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There was no answer, or it was no."""

    reason: str
    is_retryable: bool


Answer = Report | Delivered | Failed


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of one lease from its agent."""

    report: Report | None = None
    is_delivered: bool = False
    """Whether the agent has taken the manifest from us, and was not yet seen to use it though there was time."""
    deliveries: int = 0
    problem: str | None = None
    failures: int = 0
    """In a row."""
    refusals: int = 0
    """In a row, of the kind that asking again does not help."""
    next_seconds: float = 0.0
    """When to ask again."""
    lacking_seconds: float | None = None
    """Since when its agent has said that it lacks the version that is wanted; None: it has it, or was not asked."""

    @property
    def is_lost(self) -> bool:
        """Whether its agent does not answer any more, so that the report is how it was."""
        return self.failures > QUIET_FAILURES


@dataclass(frozen=True, slots=True)
class AskStatus:
    lease: OrderId
    provider: ProviderNumber


@dataclass(frozen=True, slots=True)
class DeliverManifest:
    lease: OrderId
    provider: ProviderNumber


Step = AskStatus | DeliverManifest

NOTHING_KNOWN = Knowledge()


def next_steps(
    view: DeploymentView,
    ours: Version,
    knowledge: Mapping[OrderId, Knowledge],
    now_seconds: float,
    delivering: Collection[OrderId] = (),
) -> tuple[Step, ...]:
    """Return whom to ask what now.

    Args:
        view: the deployment.
        ours: version of the manifest that can be delivered; nothing is if the chain wants another one.
        knowledge: of each lease that was asked about.
        now_seconds: of a clock that never goes back.
        delivering: to which a delivery is under way.
    """
    steps: list[Step] = []
    places = DIRECT_DELIVERIES - sum(
        attempt.id in delivering or known.is_delivered or _holds(known.report, view.version)
        for attempt in view.current
        for known in [knowledge.get(attempt.id, NOTHING_KNOWN)]
    )
    is_sending = bool(delivering)
    for attempt in view.current:
        known = knowledge.get(attempt.id, NOTHING_KNOWN)
        if attempt.id in delivering:
            continue
        if attempt.lease is None or attempt.state is not OrderState.LEASE_ACTIVE or now_seconds < known.next_seconds:
            continue
        has_other_version = known.report is not None and known.report.version != view.version
        is_forgotten = known.lacking_seconds is not None and now_seconds - known.lacking_seconds >= PASSING_ON_SECONDS
        is_to_send = has_other_version and ours == view.version and not known.is_delivered
        if is_to_send and not is_sending and (places > 0 or is_forgotten):
            is_sending = True  # one after the other: the first can pass it on while the second gets it
            steps.append(DeliverManifest(attempt.id, attempt.lease.provider))
        else:
            steps.append(AskStatus(attempt.id, attempt.lease.provider))
    return tuple(steps)


def learn(known: Knowledge, answer: Answer, wanted: Version, now_seconds: float) -> Knowledge:
    """Return what is known after an answer."""
    match answer:
        case Report():
            wait = RUNNING_SECONDS if is_up(answer, wanted) else COMING_UP_SECONDS
            if answer.version == wanted:
                return Knowledge(answer, deliveries=known.deliveries, next_seconds=now_seconds + wait)
            if known.lacking_seconds is None and not known.is_delivered:
                wait = 0.0  # deliver at once
            since = known.lacking_seconds if known.lacking_seconds is not None else now_seconds
            is_overdue = now_seconds - since >= PASSING_ON_SECONDS
            return Knowledge(
                answer,
                known.is_delivered and not is_overdue,  # it has taken it, and was not yet seen to use it
                known.deliveries,
                next_seconds=now_seconds + wait,
                lacking_seconds=since,
            )
        case Delivered():
            after = now_seconds + COMING_UP_SECONDS
            return Knowledge(known.report, True, known.deliveries + 1, next_seconds=after, lacking_seconds=now_seconds)
        case Failed():
            wait = min(FIRST_RETRY_SECONDS * 2 ** min(known.failures, 10), MAX_RETRY_SECONDS)
            return replace(
                known,
                problem=answer.reason,
                failures=known.failures + 1,
                refusals=0 if answer.is_retryable else known.refusals + 1,
                next_seconds=now_seconds + wait,
            )


def tell_change(view: DeploymentView, lease: OrderId, before: Knowledge, after: Knowledge) -> tuple[Line, ...]:
    """Return what to tell about one lease after an answer."""
    attempt = view.attempt(lease)
    lines = []
    if after.deliveries > before.deliveries == 0:
        lines.append(_line(view, attempt, "delivered", f"manifest delivered to provider {attempt.provider}"))
    agent = f"provider {attempt.provider}'s agent"
    is_known = before.is_lost and after.problem == before.problem
    if after.is_lost and not is_known:
        which = "yet" if after.report is None else "any more"
        text = f"no use of {agent} {which}, trying again: {after.problem}"
        lines.append(_line(view, attempt, "agent-problem", text, reason=after.problem))
    if after.failures == FAILURES_WITHOUT_HOPE > before.failures:
        what = (
            f"provider {attempt.provider} does not take the manifest" if after.report is None else f"{agent} stays away"
        )
        lines.append(_line(view, attempt, "agent-away", f"{what}: {paid_for(view)}; `moorage delete` ends it now"))
    if before.is_lost and before.report is not None and after.failures == 0:
        lines.append(_line(view, attempt, "agent-back", f"{agent} answers again"))
    if after.report is not None and after.report is not before.report:
        lines += _workload_changes(view, attempt, before.report, after.report)
    return tuple(lines)


def _workload_changes(view: DeploymentView, attempt: Attempt, before: Report | None, after: Report) -> list[Line]:
    known = {workload.name: workload for workload in before.workloads} if before is not None else {}
    lines = []
    for workload in after.workloads:
        old = known.get(workload.name)
        if old is not None and _noteworthy(old) == _noteworthy(workload):
            continue  # a reason alone counts down or up
        where = f" at {', '.join(workload.addresses)}" if workload.addresses else ""
        why = f": {workload.reason}" if workload.reason else ""
        fields = {"workload": workload.name, "state": workload.state, "reason": workload.reason}
        fields["addresses"] = " ".join(workload.addresses)
        text = f"workload {workload.name} {workload.state}{where}{why}"
        lines.append(_line(view, attempt, "workload", text, **fields))
    return lines


def _noteworthy(workload: Workload) -> tuple[str, tuple[str, ...], bool, bool]:
    return workload.state, workload.addresses, workload.is_up, workload.is_kept_back


def paid_for(view: DeploymentView) -> str:
    """Return what becomes of a lease whose provider does not do its work."""
    return (
        f"it is paid only for what it confirms, and if it does not confirm for {view.period_blocks} blocks another "
        "provider is ordered and its collateral is yours"
    )


def is_all_running(view: DeploymentView, knowledge: Mapping[OrderId, Knowledge]) -> bool:
    """Return whether each group has a lease on which all workloads of the newest version run."""
    return bool(view.wanted) and all(
        attempt.state is OrderState.LEASE_ACTIVE
        and (report := knowledge.get(attempt.id, NOTHING_KNOWN).report) is not None
        and is_up(report, view.version)
        for attempt in view.wanted
    )


def running_line(view: DeploymentView, knowledge: Mapping[OrderId, Knowledge]) -> Line:
    """Return what to tell once everything runs or is done: where it can be reached."""
    reports = [knowledge[attempt.id].report for attempt in view.wanted]
    workloads = [workload for report in reports if report is not None for workload in report.workloads]
    reachable = [f"{workload.name} at {', '.join(workload.addresses)}" for workload in workloads if workload.addresses]
    addresses = " ".join(address for workload in workloads for address in workload.addresses)
    where = "; ".join(reachable) if reachable else "nothing is exposed to the outside"
    text = ALL_DONE if is_all_done(view, knowledge) else f"{up_words(workloads)}: {where}"
    return Line(view.block_number, "running", text, {"addresses": addresses})


def up_words(workloads: Collection[Workload]) -> str:
    """Return in words that all workloads are up."""
    return "all workloads run or are done" if any(each.state == DONE for each in workloads) else "all workloads run"


def is_all_done(view: DeploymentView, knowledge: Mapping[OrderId, Knowledge]) -> bool:
    """Return whether nothing of a deployment runs any more, or ever will, because all of it is done."""
    return is_all_running(view, knowledge) and all(
        workload.state == DONE
        for attempt in view.wanted
        if (report := knowledge[attempt.id].report) is not None
        for workload in report.workloads
    )


def _holds(report: Report | None, wanted: Version) -> bool:
    return report is not None and report.version == wanted


def is_up(report: Report, wanted: Version) -> bool:
    """Return whether all workloads of a version run, and none of the version before in their place."""
    return report.version == wanted and bool(report.workloads) and all(each.is_up for each in report.workloads)


def _line(view: DeploymentView, attempt: Attempt, event: str, text: str, **fields: str | int | None) -> Line:
    about = {"order": full(attempt.id), "group": attempt.group.name, "provider": attempt.provider}
    shown = f"{text} (group {attempt.group.name})" if len(view.current) > 1 else text
    return Line(view.block_number, event, shown, {**about, **fields})

"""Derives what only the providers' agents can tell: workloads that come up and go down, deployments that are complete.

What agents say is there for a moment only. So what was told of it is remembered, and kept beside the notices: a watcher
that is started again goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cli.core.agent_memory import Memory, Node
from cli.core.agents import DONE, NOTHING_KNOWN, RUNNING, Knowledge, Report, is_up, up_words
from cli.core.chain_notices import stages
from cli.core.notices import Fields, Kind, Notice, notice_id
from cli.core.view import Attempt, DeploymentView, full
from moorage.types import OrderId, OrderState

DOWN = ("restarting", "failed")
"""States of a workload in which it is down; `starting` says neither that nor that it is up."""
UP = (RUNNING, DONE)


MOST_NODES = 256
"""So many workloads of a lease are told of, also when an agent makes up names for ever."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something has to last until it is told, so that nothing is told of every blink."""

    again_seconds: float = 60.0
    """That a workload runs that was down."""
    complete_seconds: float = 10.0
    """That all workloads run."""
    failing_seconds: float = 60.0
    """That a workload of a new version does not come up."""
    absent_seconds: float = 300.0
    """That an agent does not answer, or lacks the manifest."""


def agent_notices(
    view: DeploymentView,
    knowledge: Mapping[OrderId, Knowledge],
    memory: Memory,
    now_seconds: float,
    patience: Patience,
) -> tuple[Memory, tuple[Notice, ...]]:
    """Return what there is to tell now, and what is to be remembered with it.

    Args:
        knowledge: what agents have said.
        memory: what was returned before.
        now_seconds: of a clock that never goes back.
    """
    look = _Look(view, knowledge, memory, now_seconds, patience)
    notices = tuple(look.notices())
    return look.memory(), notices


class _Look:
    def __init__(
        self,
        view: DeploymentView,
        knowledge: Mapping[OrderId, Knowledge],
        memory: Memory,
        now_seconds: float,
        patience: Patience,
    ) -> None:
        self._view = view
        self._knowledge = knowledge
        self._before = memory
        self._now = now_seconds
        self._patience = patience
        self._leased = [attempt for attempt in view.current if attempt.state is OrderState.LEASE_ACTIVE]
        leases = {full(attempt.id) for attempt in self._leased}
        self._nodes = {name: node for name, node in memory.nodes.items() if name.partition("/")[0] in leases}
        self._came_up = {lease: version for lease, version in memory.came_up.items() if lease in leases}
        self._complete_stage = memory.complete_stage
        self._since: dict[str, float] = {}

    def memory(self) -> Memory:
        return Memory(self._complete_stage, self._nodes, self._came_up, self._since)

    def notices(self) -> Iterator[Notice]:
        for attempt in self._leased:
            known = self._knowledge.get(attempt.id, NOTHING_KNOWN)
            if known.report is not None and known.report.version is not None:  # else it knows of no workload yet
                yield from self._node_notices(attempt, known.report)
            runs = known.report is not None and known.failures == 0 and is_up(known.report, self._view.version)
            if self._lasting("up", full(attempt.id), runs, self._patience.complete_seconds):
                self._came_up[full(attempt.id)] = full(self._view.version)
            yield from self._failure(attempt, known)
        yield from self._completion()

    def _node_notices(self, attempt: Attempt, report: Report) -> Iterator[Notice]:
        present, group = set(), attempt.group.name
        known = {name for name in self._nodes if name.startswith(full(attempt.id))}
        for workload in report.workloads:
            name = f"{full(attempt.id)}/{workload.name}"
            if name not in known and len(known) >= MOST_NODES:
                continue
            known.add(name)
            present.add(name)
            node = self._nodes.get(name, Node(False, 0))
            is_first = node.changes == 0
            has_come_up = workload.state in UP
            is_steady = self._lasting("again", name, has_come_up, self._patience.again_seconds)
            if not node.is_up and has_come_up and (is_first or is_steady):
                node = Node(True, node.changes + 1)
                where = f" at {', '.join(workload.addresses)}" if workload.addresses else ""
                how = "is done" if workload.state == DONE else "runs" if is_first else "runs again"
                text = f"workload {workload.name} of group {group} {how}{where}"
                fields = {"workload": workload.name, "addresses": " ".join(workload.addresses)}
                yield self._of(attempt, Kind.CLUSTER_NODE_CREATED, text, workload.name, node.changes, **fields)
            elif node.is_up and workload.state in DOWN:
                node = Node(False, node.changes + 1)
                why = workload.reason or "its provider does not say why"
                text = f"workload {workload.name} of group {group} is down, {workload.state}: {why}"
                fields = {"workload": workload.name, "reason": why}
                yield self._of(attempt, Kind.CLUSTER_NODE_DOWN, text, workload.name, node.changes, **fields)
            self._nodes[name] = node
        for name in known - present:
            # The tenant has taken it out. If it is put in again, what is told of it then are new facts.
            self._nodes[name] = replace(self._nodes[name], is_up=False)

    def _failure(self, attempt: Attempt, known: Knowledge) -> Iterator[Notice]:
        """Yield that the newest version does not come up on a lease on which it never did."""
        if self._came_up.get(full(attempt.id)) == full(self._view.version):
            return
        absent, failing = _absence(known, self._view), _trouble(known.report, self._view)
        is_absent = self._lasting("absent", full(attempt.id), absent is not None, self._patience.absent_seconds)
        is_failing = self._lasting("failing", full(attempt.id), failing is not None, self._patience.failing_seconds)
        if is_absent or is_failing:
            why = failing if is_failing else absent
            text = f"group {attempt.group.name} does not come up at provider {attempt.provider}: {why}"
            yield self._of(attempt, Kind.DEPLOY_FAILURE, text, self._view.version, reason=why)

    def _completion(self) -> Iterator[Notice]:
        stage = stages(self._view.story)
        version = full(self._view.version)
        is_complete = bool(self._view.wanted) and all(
            self._came_up.get(full(attempt.id)) == version for attempt in self._view.wanted
        )
        if is_complete and stage > self._complete_stage:
            self._complete_stage = stage
            reports = [self._knowledge.get(attempt.id, NOTHING_KNOWN).report for attempt in self._leased]
            workloads = [each for report in reports if report for each in report.workloads]
            found = [address for each in workloads for address in each.addresses]
            where = f": {', '.join(found)}" if found else ""
            identity = notice_id(self._view.id, Kind.DEPLOY_COMPLETE, stage)
            fields: Fields = {"number": stage, "addresses": " ".join(found), "version": version}
            text = f"{up_words(workloads)}{where}"
            yield Notice(identity, Kind.DEPLOY_COMPLETE, self._view.block_number, text, fields)

    def _lasting(self, what: str, about: str, is_so: bool, limit_seconds: float) -> bool:
        """Return whether something has been so for long enough; note since when it is."""
        if not is_so:
            return False
        since = self._before.since_seconds.get(f"{what} {about}", self._now)
        self._since[f"{what} {about}"] = since
        return self._now - since >= limit_seconds

    def _of(self, attempt: Attempt, kind: Kind, text: str, *about: bytes | int | str, **fields: str | None) -> Notice:
        shown = {"lease": full(attempt.id), "group": attempt.group.name, "provider": attempt.provider, **fields}
        identity = notice_id(self._view.id, kind, attempt.id, *about)
        return Notice(identity, kind, self._view.block_number, text, shown)


def _trouble(report: Report | None, view: DeploymentView) -> str | None:
    """Return which workload of the newest version does not work, and why."""
    if report is None or report.version != view.version:
        return None
    for each in report.workloads:
        if each.state in DOWN or each.is_kept_back:
            return f"workload {each.name} {each.state}" + (f": {each.reason}" if each.reason else "")
    return None


def _absence(known: Knowledge, view: DeploymentView) -> str | None:
    """Return why nothing of the newest version is there."""
    if known.report is None:
        return f"no use of its agent: {known.problem}" if known.problem is not None else None
    if known.report.version == view.version:
        return None
    news = known.report.manifest
    why = f" ({news.reason})" if news is not None and news.reason else ""
    return f"its agent lacks the manifest{why}; `moorage deploy` with the same file hands it over"

"""Derives what only the providers' agents can tell: workloads that come up and go down, deployments that are complete.

What agents say is there for a moment only. So what was told of it is remembered, and kept beside the notices: a watcher
that is started again goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cli.core.agent_memory import Memory
from cli.core.agents import NOTHING_KNOWN, Knowledge, Report, is_up, up_words
from cli.core.chain_notices import stages
from cli.core.lasting import Lasting, Patience
from cli.core.node_notices import DOWN, NodeTeller
from cli.core.notices import Fields, Kind, Notice, notice_id, notice_of_lease
from cli.core.view import Attempt, DeploymentView, full
from moorage.types import OrderId, OrderState


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
        self._lasting = Lasting(memory.since_seconds, now_seconds)
        self._patience = patience
        self._leased = [attempt for attempt in view.current if attempt.state is OrderState.LEASE_ACTIVE]
        leases = {full(attempt.id) for attempt in self._leased}
        self._teller = NodeTeller(view, memory, leases, self._lasting, patience)
        self._came_up = {lease: version for lease, version in memory.came_up.items() if lease in leases}
        self._complete_stage = memory.complete_stage

    def memory(self) -> Memory:
        teller, since = self._teller, self._lasting.since_seconds
        return Memory(self._complete_stage, teller.nodes, self._came_up, since, teller.rations)

    def notices(self) -> Iterator[Notice]:
        for attempt in self._leased:
            known = self._knowledge.get(attempt.id, NOTHING_KNOWN)
            if known.report is not None and known.report.version is not None:  # else it knows of no workload yet
                yield from self._teller.notices(attempt, known.report)
            runs = known.report is not None and known.failures == 0 and is_up(known.report, self._view.version)
            if self._lasting.holds(f"runs {full(attempt.id)}", runs, self._patience.complete_seconds):
                self._came_up[full(attempt.id)] = full(self._view.version)
            yield from self._failure(attempt, known)
        yield from self._completion()

    def _failure(self, attempt: Attempt, known: Knowledge) -> Iterator[Notice]:
        """Yield that the newest version does not come up on a lease on which it never did."""
        if self._came_up.get(full(attempt.id)) == full(self._view.version):
            return
        absent, failing = _absence(known, self._view), _trouble(known.report, self._view)
        about, patience = f"{full(attempt.id)} {full(self._view.version)}", self._patience
        is_absent = self._lasting.holds(f"absent {about}", absent is not None, patience.absent_seconds)
        is_failing = self._lasting.comes_back(f"failing {about}", failing is not None, False, patience.failing_seconds)
        if is_absent or is_failing:
            why = failing if is_failing else absent
            text = f"group {attempt.group.name} does not come up at provider {attempt.provider}: {why}"
            yield notice_of_lease(self._view, attempt, Kind.DEPLOY_FAILURE, text, self._view.version, reason=why)

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

"""Decides which changes of workloads are told: an agent may say what it likes, and as often as it likes.

So a state has to hold, each workload has one notice of a kind in an interval, and a lease so many of a kind. What is
left out is counted in the next notice, and how a workload is in the end is always told. What money hangs on is on
chain, and not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cli.core.agent_memory import Memory, Node, Ration
from cli.core.agents import DONE, RUNNING, Report, Workload
from cli.core.lasting import Lasting, Patience
from cli.core.notices import Kind, Notice, notice_of_lease
from cli.core.report import counted
from cli.core.view import Attempt, DeploymentView, full

DOWN = ("restarting", "failed")
"""States of a workload in which it is down; `starting` says neither that nor that it is up."""
UP = (RUNNING, DONE)
MOST_NODES = 256
"""So many workloads of a lease are told of, also when an agent makes up names for ever."""
MOST_TOLD = 20
"""Notices of one kind about the workloads of one lease in an interval; the last one speaks for all that are left."""


class NodeTeller:
    """The workloads of the leases of a deployment at one look."""

    def __init__(
        self, view: DeploymentView, memory: Memory, leases: set[str], lasting: Lasting, patience: Patience
    ) -> None:
        """
        Args:
            leases: that are active; what was told of others is forgotten.
        """
        self._view = view
        self._lasting = lasting
        self._patience = patience
        self.nodes = {name: node for name, node in memory.nodes.items() if name.partition("/")[0] in leases}
        self.rations = {name: ration for name, ration in memory.rations.items() if name.partition("/")[0] in leases}

    def notices(self, attempt: Attempt, report: Report) -> Iterator[Notice]:
        """Take in what an agent says, and yield what is told of it."""
        present = self._take(full(attempt.id), report)
        for is_up in (True, False):
            due = [(name, workload) for name, workload in present.items() if self._is_due(self.nodes[name], is_up)]
            yield from self._rationed(attempt, due, is_up)

    def _take(self, lease: str, report: Report) -> dict[str, Workload]:
        """Note how workloads are, and return them by the names under which they are remembered."""
        known, present = {name for name in self.nodes if name.startswith(lease)}, {}
        for workload in report.workloads:
            name = f"{lease}/{workload.name}"
            if name in known or len(known) < MOST_NODES:
                known.add(name)
                present[name] = workload
                self.nodes[name] = self._after(self.nodes.get(name, Node(False, 0)), name, workload.state)
        for name in known - present.keys():
            # The tenant has taken it out. If it is put in again, what is told of it then are new facts.
            self.nodes[name] = replace(self.nodes[name], is_up=False, untold=0)
        return present

    def _after(self, node: Node, name: str, state: str) -> Node:
        long_enough = self._patience.again_seconds if node.changes else self._patience.complete_seconds
        is_steady = self._lasting.holds(f"up {name}", state in UP, long_enough)
        is_over = is_steady or not node.is_up
        is_down = self._lasting.comes_back(f"down {name}", state in DOWN, is_over, self._patience.down_seconds)
        if is_down or (is_steady and not node.is_up):
            return replace(node, is_up=not node.is_up, changes=node.changes + 1, untold=node.untold + 1)
        return node

    def _is_due(self, node: Node, is_up: bool) -> bool:
        before = node.up_block if is_up else node.down_block
        return node.untold > 0 and node.is_up is is_up and (before is None or self._is_over(before))

    def _is_over(self, begin_block: int) -> bool:
        return self._view.block_number - begin_block >= self._patience.interval_blocks

    def _rationed(self, attempt: Attempt, due: Sequence[tuple[str, Workload]], is_up: bool) -> Iterator[Notice]:
        kind = Kind.CLUSTER_NODE_CREATED if is_up else Kind.CLUSTER_NODE_DOWN
        place = f"{full(attempt.id)}/{kind.value}"
        ration = self.rations.get(place, Ration(self._view.block_number))
        if self._is_over(ration.begin_block):
            ration = Ration(self._view.block_number, sums=ration.sums)
        left = MOST_TOLD - ration.told
        if not due or not left:
            return
        alone = len(due) if len(due) <= left else left - 1
        for name, workload in due[:alone]:
            yield (self._up if is_up else self._down)(attempt, self.nodes[name], workload)
        if due[alone:]:
            yield self._sum(attempt, [self.nodes[name] for name, _ in due[alone:]], ration.sums, is_up)
        for name, _ in due:
            self.nodes[name] = _told(self.nodes[name], self._view.block_number)
        told = min(ration.told + len(due), MOST_TOLD)
        self.rations[place] = Ration(ration.begin_block, told, ration.sums + (len(due) > alone))

    def _up(self, attempt: Attempt, node: Node, workload: Workload) -> Notice:
        where = f" at {', '.join(workload.addresses)}" if workload.addresses else ""
        how = "is done" if workload.state == DONE else "runs" if node.changes == 1 else "runs again"
        text = f"workload {workload.name} of group {attempt.group.name} {how}{where}"
        addresses = " ".join(workload.addresses)
        return self._of(attempt, Kind.CLUSTER_NODE_CREATED, text, node, workload.name, addresses=addresses)

    def _down(self, attempt: Attempt, node: Node, workload: Workload) -> Notice:
        why = workload.reason or "its provider does not say why"
        text = f"workload {workload.name} of group {attempt.group.name} is down, {workload.state}: {why}"
        return self._of(attempt, Kind.CLUSTER_NODE_DOWN, text, node, workload.name, reason=why)

    def _of(self, attempt: Attempt, kind: Kind, text: str, node: Node, workload: str, **fields: str | int) -> Notice:
        if node.untold > 1:
            left_out = node.untold - 1
            text = f"{text}; {counted(left_out, 'change')} before this one {'is' if left_out == 1 else 'are'} left out"
            fields["left_out"] = left_out
        return notice_of_lease(self._view, attempt, kind, text, workload, node.changes, workload=workload, **fields)

    def _sum(self, attempt: Attempt, nodes: Sequence[Node], number: int, is_up: bool) -> Notice:
        kind = Kind.CLUSTER_NODE_CREATED if is_up else Kind.CLUSTER_NODE_DOWN
        more = f"{counted(len(nodes), 'more workload')} of group {attempt.group.name}"
        text = f"{more} {'run' if is_up else 'are down'}; one by one is left out, `moorage status` shows each"
        left_out = sum(node.untold for node in nodes)
        return notice_of_lease(self._view, attempt, kind, text, "more", number, left_out=left_out)


def _told(node: Node, block_number: int) -> Node:
    if node.is_up:
        return replace(node, untold=0, up_block=block_number)
    return replace(node, untold=0, down_block=block_number)

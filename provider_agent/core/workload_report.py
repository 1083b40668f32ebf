"""Tells a tenant how its workloads are, in the words of a lease's status."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from moorage.told import BEING_TRIED, VERSION_BEFORE
from provider_agent.core.containers import ContainerSpec, ContainerState, Observed, ObservedContainer
from provider_agent.core.gateway_state import ConnectionReport, ConnectionState
from provider_agent.core.updates import name_beside
from provider_agent.core.workload_health import crashes_in_a_row, is_done, is_sick, is_up, restart_due_seconds
from provider_agent.core.workload_plan import Failures, lease_of
from provider_agent.core.workloads import DesiredLease, DesiredWorkload

EXIT_WORDS = {126: ": its command cannot be executed", 127: ": its command was not found"}
"""What these codes mean by convention; an image without a shell says nothing else."""


class WorkloadState(StrEnum):
    """From the best to the worst; a workload is as its worst replica."""

    DONE = "done"
    """It has ended with 0, and is a job: it is not started again."""
    RUNNING = "running"
    STARTING = "starting"
    RESTARTING = "restarting"
    """It has exited and is going to be started again."""
    FAILED = "failed"
    """The engine cannot bring it up; it is going to try again."""


@dataclass(frozen=True, slots=True)
class WorkloadReport:
    name: str
    state: WorkloadState
    reason: str | None
    """Why it is not just running, and which connections are not up."""
    addresses: tuple[str, ...]
    """`protocol://host:port` of each port that is open to everybody."""


def reports(
    wanted: DesiredLease,
    observed: Observed,
    failures: Failures,
    now_seconds: int,
    connections: Collection[ConnectionReport] = (),
) -> tuple[WorkloadReport, ...]:
    """Return the state of each workload of a lease.

    Args:
        wanted: as gateway_container.with_gateway returns it.
        connections: how they are now, as far as that is known.
    """
    containers = {each.name: each for each in observed.containers if lease_of(each.labels) == wanted.lease.hex()}
    seen = _Seen(wanted, containers, failures, now_seconds)
    return tuple(_report(workload, seen, connections) for workload in wanted.workloads)


@dataclass(frozen=True, slots=True)
class _Seen:
    wanted: DesiredLease
    containers: Mapping[str, ObservedContainer]
    failures: Failures
    now_seconds: int

    def replica(self, spec: ContainerSpec) -> tuple[WorkloadState, str | None]:
        return _replica(spec, self.containers.get(spec.name), self.failures, self.now_seconds)

    def place(self, workload: DesiredWorkload, spec: ContainerSpec) -> tuple[WorkloadState, str | None]:
        """Return how a replica is, or what serves for it."""
        if spec.name in workload.held:
            return self._trial(workload.beside[0])
        return self._trial(spec) if name_beside(spec) in workload.held else self.replica(spec)

    def _trial(self, tried: ContainerSpec) -> tuple[WorkloadState, str | None]:
        """Return how a replica is of which an earlier version goes on while the new one is tried."""
        state, reason = self.replica(tried)
        said = f"is {state}" if state is not WorkloadState.FAILED else "failed"
        if state in (WorkloadState.RUNNING, WorkloadState.STARTING):
            said = BEING_TRIED
        return WorkloadState.RUNNING, f"{VERSION_BEFORE}; the new one {said}" + (f": {reason}" if reason else "")

    def is_up(self, workload: DesiredWorkload) -> bool:
        return any(is_up(spec, self.containers.get(spec.name)) for spec in workload.replicas)

    @property
    def gateway(self) -> tuple[WorkloadState, str | None]:
        container = self.wanted.gateway_container
        return self.replica(container) if container is not None else (WorkloadState.STARTING, None)


def _report(workload: DesiredWorkload, seen: _Seen, connections: Collection[ConnectionReport]) -> WorkloadReport:
    replicas = [seen.place(workload, spec) for spec in workload.replicas]
    waits_for = [
        each.name for each in seen.wanted.workloads if each.name in workload.depends_on and not seen.is_up(each)
    ]
    several = len(replicas) > 1
    reasons = [
        f"replica {index}: {reason}" if several else reason
        for index, (_, reason) in enumerate(replicas)
        if reason is not None
    ]
    if waits_for and not any(spec.name in seen.containers for spec in workload.replicas):
        reasons.append(f"waits for {', '.join(waits_for)}")
    worst = max((state for state, _ in replicas), key=list(WorkloadState).index)
    if worst is not WorkloadState.DONE:
        reasons.extend(_not_up(workload, seen.wanted, connections))
    state, reason = seen.gateway
    uses_gateway = any(name == workload.name for name, _ in seen.wanted.addresses) and worst is not WorkloadState.DONE
    if state is not WorkloadState.RUNNING and uses_gateway:
        reasons.append(f"its gateway is {state}" + (f": {reason}" if reason is not None else ""))
    is_reachable = state is WorkloadState.RUNNING and any(each is WorkloadState.RUNNING for each, _ in replicas)
    addresses = (address for name, address in seen.wanted.addresses if name == workload.name and is_reachable)
    return WorkloadReport(workload.name, worst, "; ".join(reasons) or None, tuple(addresses))


def _not_up(
    workload: DesiredWorkload, wanted: DesiredLease, connections: Collection[ConnectionReport]
) -> Iterator[str]:
    for key in wanted.portless:
        name, _, port = key.rpartition(":")
        if name == workload.name:
            yield f"not up: port {port}: no port of the host is left for it"
    served = {address.split("://")[1].partition(":")[0] for name, address in wanted.addresses if name == workload.name}
    for name, host in wanted.gateway.plan.hosts if wanted.gateway is not None else ():
        if name == workload.name and host not in served:
            yield f"not up: {host}: this provider does not serve that name"
    for each in connections:
        if each.consumer == workload.name and each.state is not ConnectionState.UP:
            yield f"not up: {each.server}:{each.port}: {each.reason}"


def _replica(
    spec: ContainerSpec, found: ObservedContainer | None, failures: Failures, now_seconds: int
) -> tuple[WorkloadState, str | None]:
    failure = failures.get(spec.name)
    if failure is not None and failure.digest == spec.digest:
        return WorkloadState.FAILED, f"{failure.reason}; next attempt in {max(0, failure.due_seconds - now_seconds)} s"
    if found is None:
        return WorkloadState.STARTING, None
    if found.digest != spec.digest:
        return WorkloadState.STARTING, "about to be replaced by its new version"
    match found.state:
        case ContainerState.RUNNING if is_sick(spec, found, now_seconds):
            wait = max(0, restart_due_seconds(found) - now_seconds)
            count = crashes_in_a_row(found, now_seconds) + 1
            return WorkloadState.RESTARTING, f"not healthy; restart {count} in {wait} s"
        case ContainerState.RUNNING if not is_up(spec, found):
            return WorkloadState.STARTING, "not healthy yet"
        case ContainerState.RUNNING:
            return WorkloadState.RUNNING, f"restarts after crashes: {found.restarts}" if found.restarts else None
        case ContainerState.EXITED if is_done(spec, found):
            return WorkloadState.DONE, f"exit code 0 at {_shown_time(found.finished_seconds)}"
        case ContainerState.EXITED:
            wait = max(0, restart_due_seconds(found) - now_seconds)
            count = crashes_in_a_row(found) + 1
            return WorkloadState.RESTARTING, f"{_exit_reason(found)}; restart {count} in {wait} s"
        case _:
            return WorkloadState.STARTING, None


def _shown_time(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat().replace("+00:00", "Z")


def _exit_reason(container: ObservedContainer) -> str:
    if container.is_out_of_memory:
        return "killed: out of memory"
    words = EXIT_WORDS.get(container.exit_code or 0, "")
    return f"exited with code {container.exit_code}{words}"

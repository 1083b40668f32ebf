"""Tells a tenant how its workloads are, in the words of a lease's status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from provider_agent.core.containers import ContainerSpec, ContainerState, Observed, ObservedContainer, PublishedPort
from provider_agent.core.workload_plan import Failures, crashes_in_a_row, lease_of, restart_due_seconds
from provider_agent.core.workloads import DesiredLease, DesiredWorkload

ANY_ADDRESS = ("", "0.0.0.0", "::")
EXIT_WORDS = {126: ": its command cannot be executed", 127: ": its command was not found"}
"""What these codes mean by convention; an image without a shell says nothing else."""


class WorkloadState(StrEnum):
    """From the best to the worst; a workload is as its worst replica."""

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
    """`protocol://host:port` of each published port and replica."""


def reports(
    wanted: DesiredLease, observed: Observed, failures: Failures, now_seconds: int, public_host: str
) -> tuple[WorkloadReport, ...]:
    """Return the state of each workload of a lease.

    Args:
        public_host: the name or address to tell when ports are bound to every address of the host.
    """
    containers = {each.name: each for each in observed.containers if lease_of(each.labels) == wanted.lease.hex()}
    return tuple(_report(workload, containers, failures, now_seconds, public_host) for workload in wanted.workloads)


def _report(
    workload: DesiredWorkload,
    containers: dict[str, ObservedContainer],
    failures: Failures,
    now_seconds: int,
    public_host: str,
) -> WorkloadReport:
    states: list[WorkloadState] = []
    reasons: list[str] = []
    addresses: list[str] = []
    for index, spec in enumerate(workload.replicas):
        found = containers.get(spec.name)
        state, reason = _replica(spec, found, failures, now_seconds)
        states.append(state)
        if reason is not None:
            reasons.append(f"replica {index}: {reason}" if len(workload.replicas) > 1 else reason)
        if found is not None and state is WorkloadState.RUNNING:
            addresses.extend(_addresses(workload, found, public_host))
    worst = max(states, key=list(WorkloadState).index)
    reasons.extend(f"not up: {missing}" for missing in workload.missing)
    return WorkloadReport(workload.name, worst, "; ".join(reasons) or None, tuple(addresses))


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
        case ContainerState.RUNNING:
            return WorkloadState.RUNNING, f"restarts after crashes: {found.restarts}" if found.restarts else None
        case ContainerState.EXITED:
            wait = max(0, restart_due_seconds(found) - now_seconds)
            count = crashes_in_a_row(found) + 1
            return WorkloadState.RESTARTING, f"{_exit_reason(found)}; restart {count} in {wait} s"
        case _:
            return WorkloadState.STARTING, None


def _exit_reason(container: ObservedContainer) -> str:
    if container.is_out_of_memory:
        return "killed: out of memory"
    words = EXIT_WORDS.get(container.exit_code or 0, "")
    return f"exited with code {container.exit_code}{words}"


def _addresses(workload: DesiredWorkload, container: ObservedContainer, public_host: str) -> Iterator[str]:
    protocols = dict(workload.protocols)
    for published in container.published:
        if published.container_port in protocols:
            yield f"{protocols[published.container_port]}://{_host(published, public_host)}:{published.port}"


def _host(published: PublishedPort, public_host: str) -> str:
    host = public_host if published.address in ANY_ADDRESS else published.address
    return f"[{host}]" if ":" in host else host

"""Decides from what was seen of a container whether its workload works, and when one that does not is started anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from provider_agent.core.containers import ContainerSpec, ContainerState, HealthState, Observed, ObservedContainer
from provider_agent.core.workloads import DesiredLease

MAX_BACKOFF_SECONDS = 300
STABLE_SECONDS = 600
"""A container that ran for so long counts as healthy: its next crash is a first one."""


def is_asked_by_gateway(wanted: DesiredLease) -> bool:
    """Return whether a lease has a workload whose health its gateway finds out."""
    return any(spec.health is not None and spec.health.command is None for spec in wanted.workload_containers)


def with_health(observed: Observed, wanted: DesiredLease, told: Mapping[tuple[str, int], HealthState]) -> Observed:
    """Return what a lease has, with what its gateway tells of its replicas.

    Args:
        told: by workload and place: the replicas in order, then what is beside them.
    """
    there = {each.name for each in observed.containers}
    keys = {
        spec.name: ((workload.name, place), spec.digest)
        for workload in wanted.workloads
        for place, spec in enumerate((*workload.replicas, *(each for each in workload.beside if each.name in there)))
        if spec.health is not None and spec.health.command is None
    }
    apart = wanted.gateway.apart if wanted.gateway is not None else frozenset()

    def looked_at(found: ObservedContainer) -> ObservedContainer:
        if found.name not in keys or found.asked is None:
            return found
        key, digest = keys[found.name]
        is_as_asked = (found.digest != digest) == (key in apart)  # what is there may have been replaced since
        return replace(found, health=told.get(key, HealthState.STARTING) if is_as_asked else HealthState.STARTING)

    return replace(observed, containers=tuple(map(looked_at, observed.containers)))


def is_done(spec: ContainerSpec, found: ObservedContainer) -> bool:
    """Return whether a container has done what it was to do as specified, and is not started again."""
    has_ended_well = found.state is ContainerState.EXITED and found.exit_code == 0
    return spec.is_job and has_ended_well and found.digest == spec.digest


def is_up(spec: ContainerSpec, found: ObservedContainer | None) -> bool:
    """Return whether a container runs as specified and, if it is checked, is healthy; or is done."""
    if found is not None and is_done(spec, found):
        return True
    if found is None or found.digest != spec.digest or found.state is not ContainerState.RUNNING:
        return False
    return spec.health is None or found.health is HealthState.HEALTHY


def is_sick(spec: ContainerSpec, found: ObservedContainer, now_seconds: int) -> bool:
    """Return whether a container that runs has to be started anew, sooner or later."""
    check = spec.health
    if check is None or found.state is not ContainerState.RUNNING or found.health is not HealthState.UNHEALTHY:
        return False
    # a gateway takes the first failure for a state, and knows nothing of when the container was started
    patience_seconds = check.start_seconds + check.retries * check.interval_seconds
    return check.command is not None or now_seconds - found.started_seconds >= patience_seconds


def backoff_seconds(failures: int) -> int:
    """Return the wait after so many failures in a row."""
    return min(1 << min(failures, 30), MAX_BACKOFF_SECONDS)


def restart_due_seconds(container: ObservedContainer) -> int:
    """Return the time at which a container that has exited, or is sick, is to be started again."""
    if container.state is ContainerState.RUNNING:
        return container.started_seconds + backoff_seconds(container.restarts)
    return container.finished_seconds + backoff_seconds(crashes_in_a_row(container))


def crashes_in_a_row(container: ObservedContainer, now_seconds: int = 0) -> int:
    """Return how often it had been restarted when it exited, or became sick, forgetting all before a long run."""
    end_seconds = container.finished_seconds if container.state is not ContainerState.RUNNING else now_seconds
    return 0 if end_seconds - container.started_seconds >= STABLE_SECONDS else container.restarts

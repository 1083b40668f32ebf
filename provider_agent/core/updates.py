"""Decides how a workload gets to its new version without a break: a new container beside the old one is tried first.

One replica after the other: a container of the new version runs beside the old one, under a name and at addresses of
its own, while the old one serves. If it works for a while the gateway leads to both, and the old one is replaced;
when that works, too, the one beside goes. If it does not work the old one goes on. All of this is decided from what is
on the engine, so that an agent that was killed goes on where it was. What has storage can't be there twice, and a job
must not be done twice: they are replaced as soon as the new image is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from moorage.workload_health import Health
from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    HealthState,
    Observed,
    ObservedContainer,
)
from provider_agent.core.lease_names import BESIDE
from provider_agent.core.workload_health import is_up
from provider_agent.core.workloads import DesiredLease, DesiredWorkload

TRIAL_SECONDS = 5
"""So long the new version has to work before anything is taken from the old one, and before the one beside goes."""
DRAIN_SECONDS = 2
"""So long before it is stopped a container gets nothing new."""

Seen = Mapping[str, ObservedContainer]


def with_updates(wanted: DesiredLease, observed: Observed, now_seconds: int) -> DesiredLease:
    """Return a lease with the containers that are to run beside others, and those of an earlier version that go on."""
    seen = {each.name: each for each in observed.containers}
    workloads = tuple(_updated(workload, seen, now_seconds) for workload in wanted.workloads)
    if wanted.gateway is None:
        return replace(wanted, workloads=workloads)
    beside: list[tuple[str, int, bool]] = []
    draining: list[tuple[str, int]] = []
    others: list[tuple[str, int, Health | None]] = []
    for workload in workloads:
        running = tuple(_running_beside(workload, seen, now_seconds))
        beside += [(workload.name, index, serves) for index, serves in running]
        draining += [(workload.name, place) for place in _draining(workload, running, seen, now_seconds)]
        others += [(workload.name, place, seen[name].asked) for place, name in _others(workload, running, seen)]
    gateway = replace(wanted.gateway, beside=tuple(beside), draining=tuple(draining), others=tuple(others))
    return replace(wanted, workloads=workloads, gateway=gateway)


def all_that_may_run(wanted: DesiredLease) -> Iterator[ContainerSpec]:
    """Yield the containers that a lease may have: also those in which new versions are tried."""
    for spec in wanted.containers:
        yield spec
        if _may_be_twice(spec):
            yield replace(spec, name=name_beside(spec))


def name_beside(spec: ContainerSpec) -> str:
    """Return what the container is called in which a replica's new version is tried."""
    return f"{spec.name}{BESIDE}"


def _running_beside(workload: DesiredWorkload, seen: Seen, now_seconds: int) -> Iterator[tuple[int, bool]]:
    """Yield beside which replicas there is a container, and whether it is to serve."""
    trials = {each.name: each for each in workload.beside if each.name in seen}
    for index, spec in enumerate(workload.replicas):
        trial = trials.get(name_beside(spec))
        if trial is not None:
            yield index, trial.name in workload.held or _has_worked(trial, seen[trial.name], now_seconds)


def _draining(
    workload: DesiredWorkload, running: Sequence[tuple[int, bool]], seen: Seen, now_seconds: int
) -> Iterator[int]:
    """Yield which servers of the gateway are to get nothing new: the replicas in order, then those beside."""
    for place, (index, serves) in enumerate(running, len(workload.replicas)):
        spec = workload.replicas[index]
        has_worked = _has_worked(spec, seen.get(spec.name), now_seconds)
        if serves and (_is_old(spec, seen) or (name_beside(spec) in workload.held and not has_worked)):
            yield index
        elif serves and has_worked:
            yield place


def _others(workload: DesiredWorkload, running: Sequence[tuple[int, bool]], seen: Seen) -> Iterator[tuple[int, str]]:
    """Yield which servers of the gateway run in another version, in the order of `_draining`, with their names."""
    trials = (_beside(workload.replicas[index], len(workload.replicas)) for index, _ in running)
    for place, spec in enumerate((*workload.replicas, *trials)):
        if _is_old(spec, seen):
            yield place, spec.name


def _updated(workload: DesiredWorkload, seen: Seen, now_seconds: int) -> DesiredWorkload:
    count = len(workload.replicas)
    carried = {spec.name for spec in workload.replicas if _is_carried(_beside(spec, count), spec, seen, now_seconds)}
    beside: list[ContainerSpec] = []
    held: set[str] = set()
    for spec in filter(_may_be_twice, workload.replicas):
        found, trial = seen.get(spec.name), _beside(spec, count)
        tried = seen.get(trial.name)
        if spec.name in carried:
            beside.append(trial)
            held.add(trial.name)
        elif _is_old(spec, seen):
            is_turn = not beside and not carried
            if not is_turn or not _has_worked(trial, tried, now_seconds - DRAIN_SECONDS):
                held.add(spec.name)
            if is_turn:
                beside.append(trial)
        elif tried is not None and not _has_worked(spec, found, now_seconds - DRAIN_SECONDS):
            beside.append(trial)
    return replace(workload, beside=tuple(beside), held=frozenset(held))


def _is_carried(trial: ContainerSpec, spec: ContainerSpec, seen: Seen, now_seconds: int) -> bool:
    """Return whether what is beside a replica works, but in a version that is not wanted any more, and it does not.

    So it is where another version comes, or the one before comes back, in the middle of an update: what serves stays
    until the replica does, which is made in the wanted version at once.
    """
    tried, found = seen.get(trial.name), seen.get(spec.name)
    is_other = tried is not None and tried.digest != trial.digest
    return is_other and _works(tried, now_seconds) and not _works(found, now_seconds - DRAIN_SECONDS)


def _may_be_twice(spec: ContainerSpec) -> bool:
    return not spec.mounts and not spec.is_job


def _is_old(spec: ContainerSpec, seen: Seen) -> bool:
    """Return whether a replica runs in another version."""
    found = seen.get(spec.name)
    return found is not None and found.state is ContainerState.RUNNING and found.digest != spec.digest


def _has_worked(spec: ContainerSpec, found: ObservedContainer | None, now_seconds: int) -> bool:
    return found is not None and is_up(spec, found) and now_seconds - found.started_seconds >= TRIAL_SECONDS


def _works(found: ObservedContainer | None, now_seconds: int) -> bool:
    """Return whether a container works, whatever its version."""
    if found is None or found.state is not ContainerState.RUNNING:
        return False
    return found.health is not HealthState.UNHEALTHY and now_seconds - found.started_seconds >= TRIAL_SECONDS


def _beside(spec: ContainerSpec, replicas: int) -> ContainerSpec:
    attachments = tuple(replace(each, place=each.place + replicas) for each in spec.attachments)
    return replace(spec, name=name_beside(spec), attachments=attachments)

"""Compares what leases need with what an engine has, and returns the steps between: no memory, no order of events.

Only leases that are wanted or proved to be over are touched. A lease that is neither keeps everything it has: a node
that does not answer must never look like the end of a lease.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from moorage.types import OrderId
from provider_agent.core.containers import (
    ContainerSpec,
    ContainerState,
    Labels,
    NetworkSpec,
    Observed,
    ObservedContainer,
    ObservedNetwork,
    ObservedVolume,
)
from provider_agent.core.endings import Over
from provider_agent.core.image_names import ImageRequest
from provider_agent.core.lease_names import LEASE_LABEL
from provider_agent.core.workload_health import (
    backoff_seconds,
    crashes_in_a_row,
    is_done,
    is_sick,
    is_up,
    restart_due_seconds,
)
from provider_agent.core.workloads import DesiredLease, DesiredWorkload

LOOK_SECONDS = 2
"""What is not up yet is looked at so often, where nobody tells."""


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    lease: OrderId
    spec: NetworkSpec


@dataclass(frozen=True, slots=True)
class StartWorkload:
    """Bring up a container, in place of one with the same name that is different or has ended."""

    lease: OrderId
    spec: ContainerSpec
    image: ImageRequest | None = None
    """What has to be pulled first."""
    after: frozenset[str] = frozenset()
    """Containers that this plan brings up before; without one of them it has to wait."""


@dataclass(frozen=True, slots=True)
class ReconnectWorkload:
    """Change the networks of a running container."""

    lease: OrderId
    spec: ContainerSpec


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Stop a container that may be wanted again."""

    lease: OrderId
    name: str


@dataclass(frozen=True, slots=True)
class RemoveContainer:
    lease: OrderId
    name: str


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    lease: OrderId
    name: str


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    lease: OrderId
    name: str


Removal = RemoveContainer | RemoveNetwork | RemoveVolume
Intent = CreateNetwork | StartWorkload | ReconnectWorkload | StopContainer | Removal


@dataclass(frozen=True, slots=True)
class StartFailure:
    """An engine's refusal to bring up a container. It is not visible on the engine, so the shell remembers it."""

    digest: str
    """Of the specification that failed: another one is tried at once."""
    reason: str
    attempts: int
    failed_seconds: int

    @property
    def due_seconds(self) -> int:
        """The time of the next attempt."""
        return self.failed_seconds + backoff_seconds(self.attempts)


Failures = Mapping[str, StartFailure]
"""By container's name."""
Missing = Mapping[OrderId, Mapping[str, ImageRequest]]
"""What has to be pulled for a lease, by the image in the container's specification."""
NOTHING_MISSING: Missing = {}


def plan(
    desired: Iterable[DesiredLease],
    observed: Observed,
    over: Iterable[Over],
    now_seconds: int,
    failures: Failures,
    resting: Collection[OrderId] = (),
    stopped: Collection[str] = (),
    missing: Missing = NOTHING_MISSING,
) -> tuple[Intent, ...]:
    """Return the steps to take, in order; none when everything is as it shall be.

    Args:
        desired: the leases that shall run.
        observed: everything on the engine that is this provider's.
        over: leases that are proved to be over; all that they have goes, volumes too.
        now_seconds: Unix time by the engine's clock.
        failures: what the engine refused before.
        resting: leases whose containers are to be stopped, and nothing more.
        stopped: names of containers that were stopped so; a lease that shall run again goes on with them.
        missing: images that are not on the engine.
    """
    seen = _by_lease(observed)
    gone = frozenset(each.lease for each in over)
    intents: list[Intent] = []
    for lease in sorted(gone):
        intents.extend(_tear_down(lease, seen[lease.hex()]))
    for lease in sorted(frozenset(resting) - gone):
        intents.extend(_stop(lease, seen[lease.hex()]))
    for wanted in desired:
        if wanted.lease not in gone:
            intents.extend(_bring_up(wanted, seen[wanted.lease.hex()], now_seconds, failures, stopped))
    return tuple(_with_image(intent, missing) for intent in intents)


def next_attempt(wanted: DesiredLease, observed: Observed, failures: Failures, now_seconds: int = 0) -> int | None:
    """Return the Unix time from which there is something to do for a lease though nothing changes; None: never."""
    specs = {spec.name: spec for spec in wanted.containers}
    times = [failure.due_seconds for name, failure in failures.items() if name in specs]
    for found in observed.containers:
        spec = specs.get(found.name)
        if spec is not None and is_done(spec, found):
            continue
        if spec is not None and found.state is ContainerState.EXITED:
            times.append(restart_due_seconds(found))
        elif spec is not None and spec.health is not None and found.state is ContainerState.RUNNING:
            times.append(_next_look(spec, found, now_seconds))
    if any(workload.beside for workload in wanted.workloads):
        times.append(now_seconds + LOOK_SECONDS)
    return min(times, default=None)


def _next_look(spec: ContainerSpec, found: ObservedContainer, now_seconds: int) -> int:
    """Return when the health of a container that runs is to be looked at again; the engine tells of its own checks."""
    assert spec.health is not None
    if is_up(spec, found):
        return now_seconds + spec.health.interval_seconds
    return max(now_seconds + LOOK_SECONDS, restart_due_seconds(found) if is_sick(spec, found, now_seconds) else 0)


def by_lease(observed: Observed) -> dict[str, Observed]:
    """Return what each lease has, by the hex id in its labels."""
    seen = _by_lease(observed)
    return {
        lease: Observed(tuple(found.containers.values()), tuple(found.networks.values()), tuple(found.volumes.values()))
        for lease, found in seen.items()
    }


def lease_of(labels: Labels) -> str:
    """Return the hex id of the lease that an object belongs to."""
    return dict(labels).get(LEASE_LABEL, "")


@dataclass(slots=True)
class _Seen:
    containers: dict[str, ObservedContainer] = field(default_factory=dict)
    networks: dict[str, ObservedNetwork] = field(default_factory=dict)
    volumes: dict[str, ObservedVolume] = field(default_factory=dict)


def _by_lease(observed: Observed) -> defaultdict[str, _Seen]:
    seen: defaultdict[str, _Seen] = defaultdict(_Seen)
    for container in observed.containers:
        seen[lease_of(container.labels)].containers[container.name] = container
    for network in observed.networks:
        seen[lease_of(network.labels)].networks[network.name] = network
    for volume in observed.volumes:
        seen[lease_of(volume.labels)].volumes[volume.name] = volume
    return seen


def _tear_down(lease: OrderId, seen: _Seen) -> Iterator[Intent]:
    yield from (RemoveContainer(lease, name) for name in sorted(seen.containers))
    yield from (RemoveNetwork(lease, name) for name in sorted(seen.networks))
    yield from (RemoveVolume(lease, name) for name in sorted(seen.volumes))


def _stop(lease: OrderId, seen: _Seen) -> Iterator[Intent]:
    running = (each for each in seen.containers.values() if each.state is ContainerState.RUNNING)
    yield from (StopContainer(lease, name) for name in sorted(each.name for each in running))


def _bring_up(
    wanted: DesiredLease, seen: _Seen, now_seconds: int, failures: Failures, stopped: Collection[str]
) -> Iterator[Intent]:
    lease = wanted.lease
    containers = wanted.containers
    wanted_networks = {network.name for network in wanted.networks}
    yield from (CreateNetwork(lease, network) for network in wanted.networks if network.name not in seen.networks)
    yield from _remove_surplus(lease, containers, seen)
    begun: set[str] = set()
    held = frozenset(name for workload in wanted.workloads for name in workload.held)
    for spec in containers:
        found = seen.containers.get(spec.name)
        if spec.name in held:
            continue
        after = _after(wanted, spec, seen, begun) if found is None else frozenset()
        if after is not None:
            steps = tuple(_ensure(lease, spec, found, now_seconds, failures, spec.name in stopped))
            begun.update(spec.name for _ in steps)
            yield from (replace(step, after=after) if isinstance(step, StartWorkload) else step for step in steps)
    yield from (RemoveNetwork(lease, name) for name in sorted(seen.networks.keys() - wanted_networks))


def _after(wanted: DesiredLease, spec: ContainerSpec, seen: _Seen, begun: Collection[str]) -> frozenset[str] | None:
    """Return which containers, begun just now, have to come before one; None: it has to wait for a later plan."""
    workload = wanted.workload_of(spec)
    after: set[str] = set()
    for dependency in wanted.workloads if workload is not None else ():
        if workload is not None and dependency.name in workload.depends_on and not _is_any_up(dependency, seen):
            starting = {each.name for each in dependency.replicas if each.name in begun and each.health is None}
            if not starting:
                return None
            after |= starting
    return frozenset(after)


def _is_any_up(workload: DesiredWorkload, seen: _Seen) -> bool:
    return any(is_up(spec, seen.containers.get(spec.name)) for spec in workload.replicas)


def _with_image(intent: Intent, missing: Missing) -> Intent:
    if not isinstance(intent, StartWorkload):
        return intent
    return replace(intent, image=missing.get(intent.lease, {}).get(intent.spec.image))


def _remove_surplus(lease: OrderId, wanted: Sequence[ContainerSpec], seen: _Seen) -> Iterator[Intent]:
    surplus = seen.containers.keys() - {spec.name for spec in wanted}
    yield from (RemoveContainer(lease, name) for name in sorted(surplus))


def _ensure(
    lease: OrderId,
    spec: ContainerSpec,
    found: ObservedContainer | None,
    now_seconds: int,
    failures: Failures,
    was_stopped: bool,
) -> Iterator[Intent]:
    failure = failures.get(spec.name)
    if failure is not None and failure.digest == spec.digest and now_seconds < failure.due_seconds:
        return
    if found is None or found.digest != spec.digest:
        yield StartWorkload(lease, spec)
        return
    networks = frozenset(attachment.network for attachment in spec.attachments)
    match found.state:
        case ContainerState.CREATED:
            yield StartWorkload(lease, replace(spec, restarts=found.restarts))
        case ContainerState.EXITED if was_stopped:
            yield StartWorkload(lease, replace(spec, restarts=found.restarts))
        case ContainerState.EXITED if is_done(spec, found):
            return
        case ContainerState.EXITED if now_seconds >= restart_due_seconds(found):
            yield StartWorkload(lease, replace(spec, restarts=crashes_in_a_row(found) + 1))
        case ContainerState.RUNNING if is_sick(spec, found, now_seconds):
            if now_seconds >= restart_due_seconds(found):
                yield StartWorkload(lease, replace(spec, restarts=crashes_in_a_row(found, now_seconds) + 1))
        case ContainerState.RUNNING if found.networks != networks:
            yield ReconnectWorkload(lease, replace(spec, restarts=found.restarts))
        case _:
            return

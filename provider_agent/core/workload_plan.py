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
from provider_agent.core.workloads import LEASE_LABEL, DesiredLease

MAX_BACKOFF_SECONDS = 300
STABLE_SECONDS = 600
"""A container that ran for so long counts as healthy: its next crash is a first one."""


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    lease: OrderId
    spec: NetworkSpec


@dataclass(frozen=True, slots=True)
class StartWorkload:
    """Bring up a container, in place of one with the same name that is different or has ended."""

    lease: OrderId
    spec: ContainerSpec


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


def plan(
    desired: Iterable[DesiredLease],
    observed: Observed,
    over: Iterable[Over],
    now_seconds: int,
    failures: Failures,
    resting: Collection[OrderId] = (),
    stopped: Collection[str] = (),
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
    return tuple(intents)


def next_attempt(wanted: DesiredLease, observed: Observed, failures: Failures) -> int | None:
    """Return the Unix time from which there is something to do for a lease though nothing changes; None: never."""
    names = {spec.name for spec in wanted.containers}
    times = [failure.due_seconds for name, failure in failures.items() if name in names]
    exited = (each for each in observed.containers if each.state is ContainerState.EXITED and each.name in names)
    return min([*times, *map(restart_due_seconds, exited)], default=None)


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


def backoff_seconds(failures: int) -> int:
    """Return the wait after so many failures in a row."""
    return min(1 << min(failures, 30), MAX_BACKOFF_SECONDS)


def restart_due_seconds(container: ObservedContainer) -> int:
    """Return the time at which a container that has exited is to be started again."""
    return container.finished_seconds + backoff_seconds(crashes_in_a_row(container))


def crashes_in_a_row(container: ObservedContainer) -> int:
    """Return how often it had been restarted when it exited, forgetting all before a long healthy run."""
    was_stable = container.finished_seconds - container.started_seconds >= STABLE_SECONDS
    return 0 if was_stable else container.restarts


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
    yield from _remove_surplus(lease, containers, seen)
    yield from (CreateNetwork(lease, network) for network in wanted.networks if network.name not in seen.networks)
    for spec in containers:
        found = seen.containers.get(spec.name)
        yield from _ensure(lease, spec, found, now_seconds, failures, spec.name in stopped)
    yield from (RemoveNetwork(lease, name) for name in sorted(seen.networks.keys() - wanted_networks))


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
        case ContainerState.EXITED if now_seconds >= restart_due_seconds(found):
            yield StartWorkload(lease, replace(spec, restarts=crashes_in_a_row(found) + 1))
        case ContainerState.RUNNING if found.networks != networks:
            yield ReconnectWorkload(lease, replace(spec, restarts=found.restarts))
        case _:
            return

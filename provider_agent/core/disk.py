"""Decides which containers use more disk than they were leased, where the engine's storage does not keep them from it.

A container may write so much beside its volumes, and so much to each volume. Sizes are what files say of themselves: a
sparse one counts as a whole, and one that was deleted while it is open is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec
from provider_agent.core.updates import all_that_may_run
from provider_agent.core.workloads import DesiredLease

SLACK_BYTES = 1024 * 1024
"""What anybody may have beside: an image without a disk still gets mount points and a few files."""
SMALLEST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 30.0
PAUSE_PER_MEASURING = 20.0
"""Measuring takes the engine's disk, and so at most a twentieth of the time."""


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """What an engine's containers and volumes take, in bytes, by name."""

    layers: Mapping[str, int]
    """With the volumes that only an image has asked for, which are part of its container."""
    volumes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Overuse:
    """A container that has written more than it may."""

    lease: OrderId
    container: str
    reason: str
    excess_bytes: int


def overuses(desired: Iterable[DesiredLease], usage: DiskUsage) -> tuple[Overuse, ...]:
    """Return the containers that use more than they may; who uses most beyond it comes first."""
    found = (
        each
        for lease in desired
        for spec in all_that_may_run(lease)
        for each in _of_container(lease.lease, spec, usage)
    )
    worst: dict[str, Overuse] = {}
    for each in found:
        before = worst.get(each.container)
        if before is None or before.excess_bytes < each.excess_bytes:
            worst[each.container] = each
    return tuple(sorted(worst.values(), key=lambda each: (-each.excess_bytes, each.container)))


def is_measuring_due(
    since_seconds: float, measuring_seconds: float, free_bytes: int, free_before_bytes: int, floor_bytes: int
) -> bool:
    """Return whether sizes are to be measured again.

    Args:
        since_seconds: since they were measured.
        measuring_seconds: what that took.
        free_bytes: on the engine's disk, now.
        free_before_bytes: the same when they were measured.
        floor_bytes: what is to stay free.
    """
    if since_seconds < max(SMALLEST_PAUSE_SECONDS, PAUSE_PER_MEASURING * measuring_seconds):
        return False
    is_filling = free_before_bytes - free_bytes > max(floor_bytes // 10, SLACK_BYTES)
    return free_bytes < floor_bytes or is_filling or since_seconds >= LONGEST_PAUSE_SECONDS


def _of_container(lease: OrderId, spec: ContainerSpec, usage: DiskUsage) -> Iterator[Overuse]:
    parts = [("its files", usage.layers.get(spec.name, 0), spec.layer_bytes)]
    parts += [(mount.path, usage.volumes.get(mount.volume, 0), mount.size_bytes) for mount in spec.mounts]
    for what, used, limit in parts:
        if used > limit + SLACK_BYTES:
            reason = f"stopped: {what} took {_megabytes(used)} of disk, {_megabytes(limit)} are leased"
            yield Overuse(lease, spec.name, reason, used - limit)


def _megabytes(size_bytes: int) -> str:
    return f"{-(-size_bytes // 1_000_000)} MB"

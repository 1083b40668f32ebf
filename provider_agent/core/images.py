"""What is known of images: what leases ask for, which content that was when it was first pulled, and what can go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from provider_agent.core.workloads import DesiredLease


@dataclass(frozen=True, slots=True)
class Pin:
    """What a name meant when it was resolved: a lease keeps to it, wherever the tag goes."""

    image: str
    """The engine's id of it, `sha256:…`: containers are made from this."""
    digest: str | None
    """What a registry knows it by; None: it was on the engine already, put there by the provider."""


Pins = Mapping[str, Pin]
"""By the name in the manifest."""


@dataclass(frozen=True, slots=True)
class PulledImage:
    """An image on the engine that the agent has put there."""

    tag: str
    image: str
    size_bytes: int


def pinned(wanted: DesiredLease, pins: Pins) -> DesiredLease:
    """Return a lease whose containers are made of what was pulled for it."""
    if not pins:
        return wanted
    workloads = tuple(
        replace(
            workload,
            replicas=tuple(
                replace(spec, image=pins[spec.image].image) if spec.image in pins else spec
                for spec in workload.replicas
            ),
        )
        for workload in wanted.workloads
    )
    return replace(wanted, workloads=workloads)


def garbage(
    present: Collection[PulledImage],
    needed: Collection[str],
    used_seconds: Mapping[str, int],
    now_seconds: int,
    keep_seconds: int,
    keep_bytes: int,
) -> Iterator[PulledImage]:
    """Yield the images to remove: not needed for long, or beyond the room for those, the longest unused first.

    Args:
        present: what the agent has pulled; nothing else is ever removed.
        needed: ids of what leases have.
        used_seconds: when an id was needed the last time; one that nobody remembers counts as long ago.
    """
    idle = [each for each in present if each.image not in needed]
    room_bytes = keep_bytes
    for each in sorted(idle, key=lambda each: (-used_seconds.get(each.image, 0), each.image)):
        room_bytes -= each.size_bytes
        if room_bytes < 0 or now_seconds - used_seconds.get(each.image, 0) > keep_seconds:
            yield each

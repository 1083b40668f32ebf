"""Containers, networks and volumes as plain values: what an engine is asked for and what it is seen to have."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from enum import StrEnum

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs, so that equal labels are equal values."""

DIGEST_LABEL = "moorage.spec"
RESTARTS_LABEL = "moorage.restarts"


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    OTHER = "other"
    """On its way from one state to another, or beyond repair; the engine's own words are not told apart."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network of the engine.

    An internal one connects its members and leads nowhere else. The other kind makes published ports possible; its
    members do not reach each other, and get no answer from outside.
    """

    name: str
    labels: Labels
    is_internal: bool
    capacity: int
    """Addresses that its subnet has: a power of two."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A place on a network, and the name that the others there know it by, if any."""

    network: str
    alias: str | None


@dataclass(frozen=True, slots=True)
class VolumeMount:
    volume: str
    path: str


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as it shall be. Everything that is the same for all of them is the engine adapter's business."""

    name: str
    labels: Labels
    image: str
    hostname: str
    command: tuple[str, ...] | None
    """Replaces the image's entry point; None keeps it."""
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    user: str | None
    """None: the image's own user."""
    is_read_only: bool
    milli_cpu: int
    memory_bytes: int
    attachments: tuple[Attachment, ...]
    """Published ports belong to the first; none: no network at all."""
    published_ports: tuple[int, ...]
    """TCP ports that get a port of the host; the engine chooses which."""
    mounts: tuple[VolumeMount, ...]
    mount_labels: Labels
    restarts: int
    """How often it has been started after a crash: it travels with the container, so that no memory is needed."""

    @property
    def digest(self) -> str:
        """Identify everything that cannot be changed in a running container; networks can, unless it has none."""
        unchangeable = (
            self.image,
            self.hostname,
            self.command,
            self.args,
            self.env,
            self.user,
            self.is_read_only,
            self.milli_cpu,
            self.memory_bytes,
            bool(self.attachments),
            self.published_ports,
            self.mounts,
        )
        return hashlib.sha256(json.dumps(unchangeable, default=astuple).encode()).hexdigest()[:16]

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels that the container carries: those given, and those that tell whether it must be replaced."""
        return {**dict(self.labels), DIGEST_LABEL: self.digest, RESTARTS_LABEL: str(self.restarts)}


@dataclass(frozen=True, slots=True)
class PublishedPort:
    container_port: int
    address: str
    """The host's address that the port is bound to."""
    port: int


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    name: str
    labels: Labels
    state: ContainerState
    networks: frozenset[str] = frozenset()
    published: tuple[PublishedPort, ...] = ()
    exit_code: int | None = None
    """Of one that has exited; times and what follows likewise."""
    is_out_of_memory: bool = False
    started_seconds: int = 0
    finished_seconds: int = 0
    """Unix time by the engine's clock."""

    def label(self, key: str) -> str:
        """Return a label, or an empty text."""
        return dict(self.labels).get(key, "")

    @property
    def restarts(self) -> int:
        text = self.label(RESTARTS_LABEL)
        return int(text) if text.isdecimal() else 0

    @property
    def digest(self) -> str:
        return self.label(DIGEST_LABEL)


@dataclass(frozen=True, slots=True)
class ObservedNetwork:
    name: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class ObservedVolume:
    name: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything on an engine that carries this provider's labels."""

    containers: tuple[ObservedContainer, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()


def sorted_labels(labels: dict[str, str]) -> Labels:
    """Return labels in their one order."""
    return tuple(sorted(labels.items()))

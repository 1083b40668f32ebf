"""Containers, networks and volumes as plain values: what an engine is asked for and what it is seen to have."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from moorage.workload_health import Health, read, written

Labels = tuple[tuple[str, str], ...]
"""Sorted pairs, so that equal labels are equal values."""

DIGEST_LABEL = "moorage.spec"
RESTARTS_LABEL = "moorage.restarts"
HEALTH_LABEL = "moorage.health"
"""On containers whose health is looked at, with how: a gateway has to know it of each version that runs."""
ROLE_LABEL = "moorage.role"
"""On containers of the agent's own, with what they do; a tenant's have none."""


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    OTHER = "other"
    """On its way from one state to another, or beyond repair; the engine's own words are not told apart."""


class HealthState(StrEnum):
    STARTING = "starting"
    """Nothing is known yet, or its failures do not count yet."""
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class NetworkKind(StrEnum):
    INTERNAL = "internal"
    """Connects its members and leads nowhere else: not even the host has an address on it."""
    FRONT = "front"
    """Leads out of the host and has published ports; its members do not reach each other."""
    EGRESS = "egress"
    """The same without published ports, for workloads whose provider lets them out."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    name: str
    labels: Labels
    kind: NetworkKind
    capacity: int
    """Addresses that its subnet has: a power of two."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A place on a network, and the name that the others there know it by, if any."""

    network: str
    alias: str | None
    place: int
    """Which address of the network's subnet, from 2 on: it stays the same after every restart."""


@dataclass(frozen=True, slots=True)
class VolumeMount:
    volume: str
    path: str
    size_bytes: int = 0
    """What may be written to it; an engine whose storage has no quotas does not keep it from more."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A directory of the agent's own in a container; no tenant ever says what is bound."""

    source: str
    path: str
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """What a container finds in /run/secrets."""

    files: tuple[tuple[str, str], ...] = field(repr=False)
    """Name and content, sorted."""
    fingerprint: str
    """Changes with them, and tells nothing about them."""


@dataclass(frozen=True, slots=True)
class PublishedPort:
    container_port: int
    address: str
    """The host's address that the port is bound to."""
    port: int
    """0 in a specification: the engine chooses."""


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
    published_ports: tuple[PublishedPort, ...]
    """TCP ports that get a port of the host."""
    mounts: tuple[VolumeMount, ...]
    mount_labels: Labels
    restarts: int
    """How often it has been started after a crash: it travels with the container, so that no memory is needed."""
    binds: tuple[Bind, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    """Of its network namespace, beside those that all containers have."""
    layer_bytes: int = 0
    """What may be written to it beside its volumes, as far as the engine's storage can keep it from more."""
    name_servers: tuple[str, ...] = ()
    """Whom it asks for names other than those of its networks; none: nobody."""
    secrets: SecretFiles | None = None
    is_let_out: bool = False
    """Whether one of its networks leads out: it may only start behind the host's firewall."""
    health: Health | None = None
    """How it is found out whether it works: by the engine if that is a command, else by the gateway."""
    is_job: bool = False
    """Whether it is done when it has ended with 0; else it is started again whenever it ends."""

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
            self.binds,
            self.sysctls,
            self.layer_bytes,
            self.name_servers,
            self.secrets.fingerprint if self.secrets is not None else None,
            repr(self.health) if self.health is not None else None,
        )
        return hashlib.sha256(json.dumps(unchangeable, default=astuple).encode()).hexdigest()[:16]

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels that the container carries: those given, and those that tell whether it must be replaced."""
        checked = {HEALTH_LABEL: written(self.health)} if self.health is not None else {}
        return {**dict(self.labels), **checked, DIGEST_LABEL: self.digest, RESTARTS_LABEL: str(self.restarts)}


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    name: str
    labels: Labels
    state: ContainerState
    networks: frozenset[str] = frozenset()
    published: tuple[PublishedPort, ...] = ()
    exit_code: int | None = None
    """Of one that has exited; what follows likewise."""
    is_out_of_memory: bool = False
    started_seconds: int = 0
    """Unix time by the engine's clock; also of one that runs."""
    finished_seconds: int = 0
    health: HealthState | None = None
    """Of one that runs; None: nothing looks at it, or nothing is known."""

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

    @property
    def asked(self) -> Health | None:
        """How a gateway finds out whether it works; None: not by more than a connection."""
        check = read(self.label(HEALTH_LABEL))
        return check if check is not None and check.port is not None else None


@dataclass(frozen=True, slots=True)
class ObservedNetwork:
    name: str
    labels: Labels
    subnet: IPv4Network

    def address(self, place: int) -> IPv4Address:
        """Return the address of a place, see Attachment."""
        return self.subnet[place]


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

"""What a valid deployment file says, before it meets a chain: prices are still tokens per hour."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from moorage.deployment_file.problems import Position
from moorage.events import Event
from moorage.manifest import Connection, Restart
from moorage.types import ComputeUnit
from moorage.workload_health import Health
from moorage.workload_secrets import Credentials, Secret


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    image: str
    command: tuple[str, ...] | None
    """In place of the image's entry point; None keeps it."""
    args: tuple[str, ...]
    env: dict[str, str]
    user: str | None
    read_only: bool
    storage: dict[str, int]
    """Path of a volume -> bytes."""
    connections: tuple[Connection, ...]
    depends_on: tuple[str, ...]
    health: Health | None
    host: tuple[str, ...]
    secrets: dict[str, Secret]
    """Name of a file -> what is in it."""
    credentials: Credentials | None
    """Of the image's registry."""
    restart: Restart = "always"


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    compute: ComputeUnit
    max_price: Fraction
    """Tokens per compute unit and hour."""
    collateral: Fraction
    """Tokens per compute unit."""
    position: Position = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Placement:
    """`nodes` instances of a service, each on one compute unit of a profile."""

    service: str
    profile: str
    nodes: int


@dataclass(frozen=True, slots=True)
class Datacenter:
    name: str
    regions: int
    """Bit mask of acceptable regions, see moorage.regions."""
    persist: bool
    profiles: tuple[Profile, ...]
    """Those that a placement uses: one resource group each."""
    placements: tuple[Placement, ...]
    position: Position = field(compare=False, repr=False)


class NotificationType(StrEnum):
    EMAIL = "email"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Notification:
    """Who is told about which events. It stays with the tenant: no part of it is in the manifest."""

    name: str
    type: NotificationType
    url: str | None
    """Of a webhook."""
    to: tuple[str, ...]
    """Addresses of an email."""
    events: tuple[Event, ...]
    secret: Secret | None
    """What a webhook's requests are signed with."""
    missing_secret: str | None = None
    """Where a secret should be and none is on this machine; there is a warning of it."""


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    services: tuple[Service, ...]
    datacenters: tuple[Datacenter, ...]
    notifications: tuple[Notification, ...]
    wait_duration_blocks: int | None
    """None if the file gives a time."""
    wait_duration_seconds: int
    """0 if the file gives blocks."""
    position: Position = field(compare=False, repr=False)

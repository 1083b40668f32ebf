"""The HTTP API of a provider's agent, as both sides of it see it: routes, purposes, limits and the answers' shapes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import msgspec

from moorage.request_auth import Action
from moorage.told import printable
from moorage.types import OrderId, ProviderNumber, Version

MANIFEST_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
"""RFC 9457."""
HEALTH_PATH = "/healthz"
MANIFEST_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/manifest"
STATUS_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/status"
PEER_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/peers/{peer:[0-9a-f]{64}}"
"""Of what an agent asks about another's lease, for one of its own in the same deployment; the other's comes first."""
PEER_WORKLOADS_ROUTE = PEER_ROUTE + "/workloads"
PEER_MANIFEST_ROUTE = PEER_ROUTE + "/manifests/{version:[0-9a-f]{64}}"
HOLDER_HEADER = "Moorage-Holder"
"""In a 503 for a manifest: a lease of the deployment, in hex, whose agent was given it just now; no promise."""


_Status = TypeVar("_Status", "WorkloadStatus", "ConnectionStatus", "ManifestStatus")


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """A connection that the manifest allows, as one of its two workloads sees it."""

    name: str
    """`server:port`, as the consumer connects to it."""
    direction: str
    """`out` of this workload, or `in`."""
    workload: str
    """At the other side."""
    datacenter: str
    """Of the other side: its group."""
    state: str
    """`up`, `down`, or `waiting` for what has to come first."""
    reason: str | None
    """Why it is not up."""


@dataclass(frozen=True, slots=True)
class ManifestStatus:
    """How far the version of the manifest that is on chain has come to an agent."""

    state: str
    """`here` or `waiting`."""
    source: str | None
    """Who has brought it, if that is known: a restart forgets it."""
    reason: str | None
    """Why it is not here."""


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    name: str
    state: str
    reason: str | None
    """Why it is in this state, where that needs words."""
    addresses: tuple[str, ...]
    """`host:port` or host names that it can be reached at from outside."""
    connections: tuple[ConnectionStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    lease: OrderId
    version: Version | None
    """Of the manifest that runs; None until one has arrived."""
    workloads: tuple[WorkloadStatus, ...]
    manifest: ManifestStatus | None = None
    """None: the agent does not tell."""


def deliver_manifest(provider: ProviderNumber, lease: OrderId) -> Action:
    """Return what a tenant signs to hand over a manifest."""
    path = f"/v1/leases/{lease.hex()}/manifest"
    return Action("Deliver a manifest to a Moorage provider", provider, lease, "PUT", path)


def read_status(provider: ProviderNumber, lease: OrderId) -> Action:
    """Return what a tenant signs to see how its workloads are."""
    path = f"/v1/leases/{lease.hex()}/status"
    return Action("Read the status of a Moorage lease", provider, lease, "GET", path)


def peer_manifest_path(asked: OrderId, asking: OrderId, version: Version) -> str:
    """Return where an agent finds a version of the manifest with the agent of another lease of the deployment."""
    return f"/v1/leases/{asked.hex()}/peers/{asking.hex()}/manifests/{version.hex()}"


def encode_status(status: LeaseStatus) -> bytes:
    """Return the JSON that answers a status request; ids are hex without a prefix, as in the paths."""
    version = status.version.hex() if status.version is not None else None
    return msgspec.json.encode(_StatusDocument(status.lease.hex(), version, status.workloads, status.manifest))


def decode_status(body: bytes) -> LeaseStatus:
    """Return what `encode_status` wrote, with every text made printable.

    Raises:
        ValueError: it is something else.
    """
    document = msgspec.json.decode(body, type=_StatusDocument)
    version = Version(bytes.fromhex(document.version)) if document.version is not None else None
    workloads = tuple(
        replace(_printable(workload), connections=tuple(map(_printable, workload.connections)))
        for workload in document.workloads
    )
    told = _printable(document.manifest) if document.manifest is not None else None
    return LeaseStatus(OrderId(bytes.fromhex(document.lease)), version, workloads, told)


def _printable(status: _Status) -> _Status:
    """Return a status with every text of its own made printable."""
    changes: dict[str, Any] = {}
    for field in fields(status):
        value = getattr(status, field.name)
        if isinstance(value, str):
            changes[field.name] = printable(value)
        elif field.name == "addresses":
            changes[field.name] = tuple(map(printable, value))
    return replace(status, **changes)


class _StatusDocument(msgspec.Struct, frozen=True):
    lease: str
    version: str | None
    workloads: tuple[WorkloadStatus, ...]
    manifest: ManifestStatus | None = None

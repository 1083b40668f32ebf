"""The HTTP API of a provider's agent, as both sides of it see it: routes, purposes, limits and the answers' shapes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from moorage.request_auth import Action
from moorage.types import OrderId, ProviderNumber, Version

MANIFEST_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
"""RFC 9457."""
HEALTH_PATH = "/healthz"
MANIFEST_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/manifest"
STATUS_ROUTE = "/v1/leases/{lease:[0-9a-f]{64}}/status"


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    name: str
    state: str
    reason: str | None
    """Why it is in this state, where that needs words."""
    addresses: tuple[str, ...]
    """`host:port` or host names that it can be reached at from outside."""


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    lease: OrderId
    version: Version | None
    """Of the manifest that runs; None until one has arrived."""
    workloads: tuple[WorkloadStatus, ...]


def deliver_manifest(provider: ProviderNumber, lease: OrderId) -> Action:
    """Return what a tenant signs to hand over a manifest."""
    path = f"/v1/leases/{lease.hex()}/manifest"
    return Action("Deliver a manifest to a Moorage provider", provider, lease, "PUT", path)


def read_status(provider: ProviderNumber, lease: OrderId) -> Action:
    """Return what a tenant signs to see how its workloads are."""
    path = f"/v1/leases/{lease.hex()}/status"
    return Action("Read the status of a Moorage lease", provider, lease, "GET", path)


def encode_status(status: LeaseStatus) -> bytes:
    """Return the JSON that answers a status request; ids are hex without a prefix, as in the paths."""
    version = status.version.hex() if status.version is not None else None
    return msgspec.json.encode(_StatusDocument(status.lease.hex(), version, status.workloads))


def decode_status(body: bytes) -> LeaseStatus:
    """Return what `encode_status` wrote, with every text made printable.

    Raises:
        ValueError: it is something else.
    """
    document = msgspec.json.decode(body, type=_StatusDocument)
    version = Version(bytes.fromhex(document.version)) if document.version is not None else None
    return LeaseStatus(OrderId(bytes.fromhex(document.lease)), version, tuple(map(_printable, document.workloads)))


def printable(text: str) -> str:
    """Return a stranger's text without the control characters that could drive a terminal or forge a log line."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _printable(workload: WorkloadStatus) -> WorkloadStatus:
    return WorkloadStatus(
        printable(workload.name),
        printable(workload.state),
        printable(workload.reason) if workload.reason is not None else None,
        tuple(map(printable, workload.addresses)),
    )


class _StatusDocument(msgspec.Struct, frozen=True):
    lease: str
    version: str | None
    workloads: tuple[WorkloadStatus, ...]

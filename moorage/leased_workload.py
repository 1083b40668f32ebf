"""What agents tell each other about the workloads of their leases, so that tunnels can be made between them.

A LeasedWorkload says for each tunnel of a workload by which certificate it is known there, and where it can be reached.
Nothing of it is believed before the certificate has been checked against the provider's roots on chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from moorage.manifest import Name
from moorage.types import OrderId
from moorage.workload_health import Port

MAX_ANSWER_BYTES = 2 << 20
"""For MAX_LINKS tunnels each way, with a leaf and an intermediate each."""
MAX_CHAIN_CHARACTERS = 16_384
MAX_ADDRESSES = 4
MAX_TUNNELS = 4_096

TunnelId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$(?!\n)")]
Lease = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Host = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z.:-]{1,253}$(?!\n)")]
"""A name or a numeric address."""


class LeasedConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One end of a tunnel."""

    tunnel: TunnelId
    port: Port
    """Of the workload that serves."""
    certificate: Annotated[str, msgspec.Meta(max_length=MAX_CHAIN_CHARACTERS)]
    """PEM: the leaf, then what leads to the root."""
    addresses: Annotated[tuple[tuple[Host, Port], ...], msgspec.Meta(max_length=MAX_ADDRESSES)]
    """Where it can be reached; none at the end that makes the connections, or as long as it has none."""


class LeasedWorkload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lease: Lease
    workload: Name
    connections: Annotated[tuple[LeasedConnection, ...], msgspec.Meta(max_length=MAX_TUNNELS)]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    workloads: Annotated[tuple[LeasedWorkload, ...], msgspec.Meta(max_length=MAX_TUNNELS)]


def workloads_path(lease: OrderId, peer: OrderId) -> str:
    """Return where the agent of `lease` tells the agent of `peer` about the tunnels between the two."""
    return f"/v1/leases/{lease.hex()}/peers/{peer.hex()}/workloads"


def encode_workloads(workloads: Iterable[LeasedWorkload]) -> bytes:
    """Return the JSON that answers such a request."""
    return msgspec.json.encode(_Document(tuple(workloads)))


def decode_workloads(body: bytes) -> tuple[LeasedWorkload, ...]:
    """Return what `encode_workloads` wrote.

    Raises:
        ValueError: it is something else, or more than agents have to tell each other.
    """
    if len(body) > MAX_ANSWER_BYTES:
        raise ValueError(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=_Document).workloads
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error

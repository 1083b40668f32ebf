"""What agents tell each other about workloads: one form, with limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.leased_workload import (
    MAX_ADDRESSES,
    MAX_ANSWER_BYTES,
    MAX_CHAIN_CHARACTERS,
    LeasedConnection,
    LeasedWorkload,
    decode_workloads,
    encode_workloads,
)
from moorage.manifest import MAX_LINKS

CONNECTION = LeasedConnection(
    tunnel="ab" * 16, port=5432, certificate="-----BEGIN", addresses=(("203.0.113.9", 31_000), ("2001:db8::1", 1))
)
WORKLOAD = LeasedWorkload(lease="cd" * 32, workload="db", connections=(CONNECTION,))


def document(**changes: Any) -> bytes:
    """Return a workload's JSON with other values for its own keys, or for those of its connection."""
    plain = json.loads(encode_workloads([WORKLOAD]))["workloads"][0]
    connection = plain["connections"][0]
    for key, value in changes.items():
        (plain if key in plain or key == "extra" else connection)[key] = value
    return json.dumps({"workloads": [plain]}).encode()


def test_decode_workloads__what_was_encoded__is_the_same() -> None:
    assert decode_workloads(encode_workloads([WORKLOAD])) == (WORKLOAD,)
    assert decode_workloads(encode_workloads([])) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"lease": "cd" * 31},
        {"lease": "CD" * 32},
        {"lease": "cd" * 32 + "\n"},
        {"workload": "../db"},
        {"workload": 1},
        {"tunnel": "ab" * 15},
        {"tunnel": "ab" * 16 + "\n"},
        {"port": 0},
        {"port": 65_536},
        {"port": "5432"},
        {"certificate": "x" * (MAX_CHAIN_CHARACTERS + 1)},
        {"certificate": None},
        {"addresses": [["203.0.113.9", 1]] * (MAX_ADDRESSES + 1)},
        {"addresses": [["203.0.113.9 ssl", 1]]},
        {"addresses": [["", 1]]},
        {"addresses": [["203.0.113.9", 0]]},
        {"addresses": [["203.0.113.9"]]},
        {"extra": 1},
    ],
)
def test_h24_decode_workloads__any_other_value__is_refused(changes: dict[str, Any]) -> None:
    decode_workloads(document())

    with pytest.raises(ValueError):
        decode_workloads(document(**changes))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b" " * (MAX_ANSWER_BYTES + 1)])
def test_decode_workloads__something_else__is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode_workloads(body)


def test_encode_workloads__as_many_tunnels_as_two_leases_can_have__fit_in_an_answer() -> None:
    chain = "x" * 2_000  # a leaf and an intermediate have about 1,700
    connections = tuple(
        LeasedConnection(tunnel=f"{number:032x}", port=1, certificate=chain, addresses=(("203.0.113.9", 31_000),))
        for number in range(2 * MAX_LINKS)
    )

    body = encode_workloads([LeasedWorkload(lease="cd" * 32, workload="db", connections=connections)])

    assert len(decode_workloads(body)[0].connections) == 2 * MAX_LINKS

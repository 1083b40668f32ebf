"""What an agent's status looks like on the wire, and what a client makes of one that it cannot trust."""

from __future__ import annotations

import msgspec
import pytest

from moorage.agent_api import (
    ConnectionStatus,
    LeaseStatus,
    ManifestStatus,
    WorkloadStatus,
    decode_status,
    encode_status,
)
from moorage.types import OrderId, Version

CONNECTION = ConnectionStatus("db:5432", "out", "db", "us-east", "down", "no answer")
WORKLOAD = WorkloadStatus("web", "running", None, ("203.0.113.1:80",), (CONNECTION,))
STATUS = LeaseStatus(
    OrderId(b"\xab" * 32), Version(b"\xcd" * 32), (WORKLOAD,), ManifestStatus("fetching", "provider 3", None)
)


def test_decode_status__what_was_encoded__is_the_same() -> None:
    assert decode_status(encode_status(STATUS)) == STATUS


def test_decode_status__of_an_agent_that_tells_less__lacks_what_it_does_not_tell() -> None:
    document = msgspec.json.decode(encode_status(STATUS))
    del document["manifest"], document["workloads"][0]["connections"]

    status = decode_status(msgspec.json.encode(document))

    assert (status.manifest, status.workloads[0].connections) == (None, ())


def test_h18_decode_status__control_characters_anywhere__are_made_printable() -> None:
    bad = "\x1b[2J\n"
    hostile = LeaseStatus(
        STATUS.lease,
        None,
        (WorkloadStatus(bad, bad, bad, (bad,), (ConnectionStatus(bad, bad, bad, bad, bad, bad),)),),
        ManifestStatus(bad, bad, bad),
    )

    status = decode_status(encode_status(hostile))

    good = "\ufffd[2J\ufffd"
    assert status.workloads == (
        WorkloadStatus(good, good, good, (good,), (ConnectionStatus(good, good, good, good, good, good),)),
    )
    assert status.manifest == ManifestStatus(good, good, good)


@pytest.mark.parametrize("part", [{"name": 1}, {"connections": [{}]}, {"connections": [1]}, {"addresses": "x"}])
def test_decode_status__something_else__is_refused(part: dict[str, object]) -> None:
    document = msgspec.json.decode(encode_status(STATUS))
    document["workloads"][0] |= part

    with pytest.raises(ValueError):
        decode_status(msgspec.json.encode(document))

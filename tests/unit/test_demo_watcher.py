"""For what the demo's story waits."""

from __future__ import annotations

from typing import Any

import pytest

from demo.watcher import is_paid
from moorage.chain.logs import Happening

LEASE, OTHER = b"\x01" * 32, b"\x02" * 32


def happening(block: int, name: str, lease: bytes = LEASE, **arguments: Any) -> Happening:
    return Happening(block, name, {"lease": lease, **arguments})


@pytest.mark.parametrize(
    ("earned", "others", "expected"),
    [
        (7, [], False),
        (7, [happening(20, "LeaseClaimed", amount=7)], True),
        (7, [happening(9, "LeaseClaimed", amount=30)], False),  # the pay of before
        (7, [happening(20, "LeaseClaimed", OTHER, amount=7)], False),
        (7, [happening(20, "LeaseConfirmed")], False),
        (7, [happening(20, "LeaseClaimed", amount=6)], False),
        (0, [], False),  # there was nothing to claim: the story has nothing to show
    ],
)
def test_is_paid__claims_of_leases__only_one_after_the_end_counts(
    earned: int, others: list[Happening], expected: bool
) -> None:
    stale = happening(10, "LeaseStale", earned=earned)

    assert is_paid(stale, [stale, *others]) is expected

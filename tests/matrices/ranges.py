"""What the protocol says of each argument: the numbers that it may be, and how long a list or a text may be."""

from __future__ import annotations

from typing import NamedTuple

from tests.matrices.interface import Path

LARGEST = 2**256 - 1
MONEY, CHARGE, BLOCKS, EXPIRY, NUMBER = 2**96 - 1, 2**80 - 1, 2**32 - 1, 2**40 - 1, 2**32 - 1
ADDRESS = 2**160 - 1
PERMISSIONS = 7
MAX_LIST, MAX_CONFIRMED, MAX_GROUPS = 32, 128, 8


class Range(NamedTuple):
    """From the least to the most that is accepted."""

    least: int
    most: int


ANY = Range(0, LARGEST)
NAMED = None
"""Of an argument that names something: nothing but the name is accepted."""

_GROUP = {
    "regions": Range(1, 2**32 - 1),
    "persist": Range(0, 1),
    "resources[].milli_cpu": Range(1, LARGEST),
    "resources[].memory_bytes": Range(1, LARGEST),
    "resources[].disk_bytes": ANY,
    "resources[].price": Range(1, CHARGE),  # the charge must not be zero
    "resources[].collateral": Range(0, MONEY),
    "resources[].count": Range(1, BLOCKS),
}
_GROUPS = {f"groups[].{name}": allowed for name, allowed in _GROUP.items()}

RANGES: dict[str, dict[str, Range | None]] = {
    "deposit": {"account": Range(2**32, ADDRESS), "amount": Range(1, MONEY)},
    "deposit_with_permit": {
        "account": Range(2**32, ADDRESS),
        "amount": Range(1, MONEY),
        "deadline": ANY,
        "v": Range(0, 255),
    },
    "withdraw": {"account": NAMED, "amount": Range(1, MONEY)},
    "withdraw_to": {"account": NAMED, "amount": Range(1, MONEY), "recipient": Range(1, ADDRESS)},
    "submit_deployment": {"wait_duration": Range(0, BLOCKS), **_GROUPS, "deposits[]": Range(40, MONEY)},
    "update_deployment": {**_GROUPS, "deposits[]": Range(40, MONEY), "removed[].terms": ANY},
    "close_deployment": {"orders[].terms": ANY},
    "deployment_closed": {},
    "set_manager": {
        "manager": Range(0, ADDRESS),
        "permissions": Range(0, PERMISSIONS),
        "expires_block": Range(0, EXPIRY),
        "spend_cap": Range(0, MONEY),
    },
    "submit_fulfillment": {
        "provider": NAMED,
        "wait_duration": NAMED,
        **{f"group.{name}": NAMED for name in _GROUP},
        "prices[]": Range(1, 5),  # up to the order's
        "hint": ANY,
    },
    "cancel_fulfillment": {"provider": NAMED, "key.terms": NAMED},
    "release_fulfillments": {"providers[]": NAMED},
    "submit_lease": {"orders[].terms": NAMED},
    "submit_lease_confirmation": {"provider": NAMED},
    "claim": {},
    "fund": {"key.terms": NAMED, "blocks": Range(1, BLOCKS)},
    "submit_stale_lease": {"leases[].terms": NAMED},
    "confirm_closed": {"provider": NAMED, "leases[].terms": NAMED},
    "finish_leases": {"leases[].terms": NAMED},
}
"""Transaction of the exchange -> numeric argument -> what is accepted on the market of large numbers."""

LISTS: dict[str, dict[Path, int]] = {
    "submit_deployment": {("groups",): MAX_GROUPS, ("groups", 0, "resources"): 8, ("deposits",): MAX_GROUPS},
    "update_deployment": {
        ("groups",): MAX_GROUPS,
        ("groups", 0, "resources"): 8,
        ("deposits",): MAX_GROUPS,
        ("removed",): MAX_GROUPS,
    },
    "close_deployment": {("orders",): MAX_GROUPS},
    "deployment_closed": {("deployments",): MAX_LIST},
    "submit_fulfillment": {("group", "resources"): 8, ("prices",): 8},
    "release_fulfillments": {("providers",): MAX_LIST},
    "submit_lease": {("orders",): MAX_LIST},
    "submit_lease_confirmation": {("leases",): MAX_CONFIRMED},
    "claim": {("leases",): MAX_LIST},
    "submit_stale_lease": {("leases",): MAX_LIST},
    "confirm_closed": {("leases",): MAX_LIST},
    "finish_leases": {("leases",): MAX_LIST},
}
"""Transaction of the exchange -> list -> the most items."""

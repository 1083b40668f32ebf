"""Who is on the markets of the matrices, what they have, and the markets' parameters."""

from __future__ import annotations

from dataclasses import replace

from tests.stateful.evm import Setting, person
from tests.stateful.model import Account, Group, Parameters, Permission, Provider, Resource

TENANT, OTHER_TENANT = person("tenant"), person("other tenant")
OWNER, OPERATOR = person("owner"), person("operator")
OTHER_OWNER, OTHER_OPERATOR = person("other owner"), person("other operator")
PENDING_OWNER = person("pending owner")
FACILITATOR, STRANGER, NEWCOMER = person("facilitator"), person("stranger"), person("newcomer")

EVERYTHING = Permission(7)
MANAGERS = {person(f"manager {mask}"): Permission(mask) for mask in range(1, 8)}
"""A manager for each set of permissions."""
EXPIRED, REVOKED, SPENT = person("expired manager"), person("revoked manager"), person("manager over its cap")
PEOPLE = [
    *(TENANT, OTHER_TENANT, OWNER, OPERATOR, OTHER_OWNER, OTHER_OPERATOR, PENDING_OWNER),
    *(FACILITATOR, STRANGER, NEWCOMER, *MANAGERS, EXPIRED, REVOKED, SPENT),
]

# The winner has number 1, the losers 2 and 3; the others hold something against them that bids are refused for.
WINNER, LOSER, THIRD, NEW_BIDDER, FAR_AWAY, ALMOST_CAPPED, POOR = range(1, 8)
_LARGE = 2**89
_UNIT = 10**16
PROVIDERS = (
    Provider(OWNER, OPERATOR, region=1, cap=_LARGE),
    Provider(OTHER_OWNER, OTHER_OPERATOR, region=1, cap=_LARGE),
    Provider(OTHER_OWNER, OTHER_OPERATOR, region=1, cap=_LARGE),
    Provider(OTHER_OWNER, OTHER_OPERATOR, region=1, cap=_LARGE),
    Provider(OTHER_OWNER, OTHER_OPERATOR, region=2, cap=_LARGE),
    Provider(OTHER_OWNER, OTHER_OPERATOR, region=1, cap=10),
    Provider(OTHER_OWNER, OTHER_OPERATOR, region=1, cap=_LARGE),
)

PARAMETERS = Parameters(1, period=10, interest_rate=7 * 10**11, tip=10**11 + 7, grace=7, max_fulfillments=3)

_DEPOSITS: list[tuple[str, Account, int]] = [(owner, owner, _UNIT) for owner in PEOPLE]
_DEPOSITS += [(TENANT, number, _UNIT) for number in range(1, len(PROVIDERS)) if number != POOR]
ORDINARY = Setting("ordinary", 18, PARAMETERS, dict.fromkeys(PEOPLE, 10 * _UNIT), PROVIDERS, tuple(_DEPOSITS))

# A market for numbers as large as they may be, and room for all of them.
ALL_MONEY = 2**96 - 1
_LONELY = (Provider(OWNER, OPERATOR, region=1, cap=_LARGE),)
_FREE = Parameters(1, period=4, interest_rate=0, tip=0, grace=1, max_fulfillments=1)
VACANT = Setting("vacant", 18, _FREE, {TENANT: 2**97}, (), ())
LARGE = Setting("large", 18, _FREE, {TENANT: 2**97}, _LONELY, ((TENANT, TENANT, ALL_MONEY),))

# Interest as high as it may be: on as much collateral as a provider can have locked, for as long as the money lasts.
MOST_LOCKED = 2**90 - 1
_LENDER = (Provider(OWNER, OPERATOR, region=1, cap=MOST_LOCKED),)
_LENT = ((TENANT, WINNER, MOST_LOCKED), (TENANT, TENANT, ALL_MONEY - MOST_LOCKED))
_DEAR = Parameters(1, period=1_000_000, interest_rate=10**12, tip=0, grace=1, max_fulfillments=1)
DEAR = Setting("dear", 18, _DEAR, {TENANT: 2**97}, _LENDER, _LENT)
DEAR_AND_QUICK = Setting("dear and quick", 18, replace(_DEAR, period=4), {TENANT: 2**97}, _LENDER, _LENT)

UNIT = Resource(milli_cpu=1_000, memory_bytes=2**31, disk_bytes=0, price=10**9 + 7, collateral=10**14, count=2)
GROUP = Group(b"group".ljust(32, b"\0"), regions=1, persist=False, resources=(UNIT,))
PRICES = {WINNER: 10**9, LOSER: 10**9 + 3, THIRD: 10**9 + 7}

"""Who meets on the market of the adversaries, what they have, and what is ordered there."""

from __future__ import annotations

from dataclasses import replace

from tests.stateful.evm import Setting, person
from tests.stateful.model import Account, Group, Parameters, Provider, Resource

TENANT = person("tenant")
OWNER, OPERATOR = person("owner"), person("operator")
SECOND_OWNER, SECOND_OPERATOR = person("second owner"), person("second operator")
FACILITATOR = person("facilitator")
STRANGER = person("stranger")
SWEEPER = person("sweeper")  # ends what nobody has ended, so that its tips are nobody else's
ATTACKER = person("attacker")

PROVIDER, SECOND_PROVIDER = 1, 2
ATTACKERS = range(3, 36)  # provider numbers: one more than a book holds

PERIOD = 100
GRACE = 50
BOOK = 32
TIP = 10**6
INTEREST_RATE = 10**9
WAIT = 20
PRICE = 40_000
COLLATERAL = 5 * 10**12
INTEREST = COLLATERAL * INTEREST_RATE // 10**18  # of a block
CHARGE = PRICE + INTEREST  # of a block at the maximum price
CAP = 10**20
MOST_CONFIRMED = 128  # in a call

UNIT = Resource(milli_cpu=1_000, memory_bytes=2**30, disk_bytes=0, price=PRICE, collateral=COLLATERAL, count=1)
GROUP = Group(b"group".ljust(32, b"\0"), regions=1, persist=False, resources=(UNIT,))
PERSISTENT = replace(GROUP, persist=True)

FUNDS = 10**15
OTHERS = (OPERATOR, SECOND_OPERATOR, FACILITATOR, SWEEPER)


def _setting() -> Setting:
    """Give everybody an account and a wallet with the same, but those who only work for others."""
    providers = (
        Provider(OWNER, OPERATOR, region=1, cap=CAP),
        Provider(SECOND_OWNER, SECOND_OPERATOR, region=1, cap=CAP),
        *len(ATTACKERS) * (Provider(ATTACKER, ATTACKER, region=1, cap=CAP),),
    )
    wallets = dict.fromkeys([TENANT, OWNER, SECOND_OWNER, STRANGER], 2 * FUNDS)
    wallets |= {ATTACKER: (2 + len(ATTACKERS)) * FUNDS, **dict.fromkeys(OTHERS, 0)}
    deposits: list[tuple[str, Account, int]] = [(TENANT, TENANT, FUNDS), (ATTACKER, ATTACKER, FUNDS)]
    deposits += [(STRANGER, STRANGER, FUNDS)]
    deposits += [(provider.owner, number, FUNDS) for number, provider in enumerate(providers, start=1)]
    parameters = Parameters(1, PERIOD, INTEREST_RATE, TIP, GRACE, BOOK)
    return Setting("adversaries", 18, parameters, wallets, providers, tuple(deposits))


SETTING = _setting()


def deposit_for(periods: int, charge: int = CHARGE) -> int:
    """Return the deposit that prepays a lease at a charge for some periods."""
    return periods * PERIOD * charge + TIP

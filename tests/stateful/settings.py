"""The markets on which the machine runs: who is there, what they have, and five sets of parameters."""

from __future__ import annotations

from tests.stateful.evm import Setting, person
from tests.stateful.model import Account, Parameters, Provider

ROLES = {
    person(role): role
    for role in (
        *("tenant", "second tenant", "manager", "second manager", "owner", "second owner"),
        *("operator", "second operator", "facilitator", "stranger", "whale"),
    )
}
PEOPLE = list(ROLES)
TENANTS = [person("tenant"), person("second tenant")]
MANAGERS = [person("manager"), person("second manager")]
OWNERS = [person("owner"), person("second owner")]
OPERATORS = [person("operator"), person("second operator")]
FACILITATOR = person("facilitator")
STRANGER = person("stranger")
WHALE = person("whale")

PROVIDERS = (
    Provider(OWNERS[0], OPERATORS[0], region=1, cap=2**90 - 1),
    Provider(OWNERS[0], OPERATORS[0], region=1, cap=10**15),
    Provider(OWNERS[1], OPERATORS[1], region=1, cap=2**90 - 1),
    Provider(OWNERS[1], OWNERS[1], region=2, cap=2**90 - 1),
    Provider(OWNERS[1], OPERATORS[1], region=1, cap=2**90 - 1),
)


def _setting(name: str, decimals: int, parameters: Parameters, providers: tuple[Provider, ...]) -> Setting:
    """Give everybody enough for a few leases, and not more."""
    unit = 10**15 // parameters.scale
    wallets = {TENANTS[0]: 40 * unit, TENANTS[1]: 6 * unit, **dict.fromkeys(OWNERS, 5 * len(providers) * unit)}
    wallets |= {STRANGER: unit, WHALE: 2**97 // parameters.scale}
    deposits: list[tuple[str, Account, int]] = [(TENANTS[0], TENANTS[0], 30 * unit), (TENANTS[1], TENANTS[1], 4 * unit)]
    deposits += [(provider.owner, number, 4 * unit) for number, provider in enumerate(providers, start=1)]
    return Setting(name, decimals, parameters, wallets, providers, tuple(deposits))


INTEREST = _setting("interest", 18, Parameters(1, 10, 7 * 10**11, 10**11 + 7, 7, 3), PROVIDERS)
FREE_CRANKS = _setting("free cranks", 18, Parameters(1, 4, 0, 0, 1, 2), PROVIDERS)
SIX_DECIMALS = _setting("six decimals", 6, Parameters(10**12, 6, 10**12, 3 * 10**12 + 1, 15, 2), PROVIDERS)
ONE_BID = _setting("one bid", 24, Parameters(1, 5, 333, 10**10, 3, 1), PROVIDERS)
FULL_BOOKS = _setting("full books", 18, Parameters(1, 10, 10**9, 10**10, 7, 32), 36 * PROVIDERS[2:3])
ROOMY_BOOKS = _setting("roomy books", 18, Parameters(1, 10, 10**9, 10**10, 7, 32), 8 * PROVIDERS[2:3])

"""Who takes part, by name: the accounts of each, and what to call an account."""

from __future__ import annotations

from collections.abc import Iterable

from demo.chain import Actors
from moorage.chain.contracts import provider_account
from moorage.types import Address, ProviderNumber


def accounts(actors: Actors, people: Iterable[str], providers: Iterable[int]) -> dict[str, tuple[Address, ...]]:
    """Return whose accounts are whose; a provider's are its owner's and its own on the exchange."""
    found = {name: (actors.address(name),) for name in people}
    return found | {
        f"provider {number}": (actors.address(f"owner-{number}"), provider_account(ProviderNumber(number)))
        for number in providers
    }


def names(actors: Actors, people: Iterable[str], providers: Iterable[int]) -> dict[Address, str]:
    """Return what to call each account."""
    found = {actors.address(name): f"the {name}" for name in people}
    for number in providers:
        found[actors.address(f"owner-{number}")] = f"provider {number}'s owner"
        found[provider_account(ProviderNumber(number))] = f"provider {number}"
    return found

"""What a tenant lets other keys do for a deployment, as it is written and shown."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from eth_utils.address import to_checksum_address

from cli.core.view import DeploymentView, Event
from moorage.money import Money
from moorage.types import Address, Manager, Permission

MAX_EXPIRY = 2**40 - 1
"""The last block that the exchange can keep."""
SPENDING = Permission.FUND | Permission.SCALE
NAMES = {each.name.lower(): each for each in Permission if each.name}
NOBODYS = "delete, withdraw and manager stay with the tenant"


class NotAPermission(ValueError):
    """What was typed is none; the message says which there are."""


def parse_permissions(typed: str) -> Permission:
    """Return what `update,fund` stands for.

    Raises:
        NotAPermission: a word is none, or there is no word.
    """
    words = [word.strip().lower() for word in typed.split(",") if word.strip()]
    for unknown in (word for word in words if word not in NAMES):
        raise NotAPermission(f"{unknown!r} is nothing that a manager can be let do: {', '.join(NAMES)}; {NOBODYS}")
    if not words:
        raise NotAPermission(f"name at least one of {', '.join(NAMES)}; {NOBODYS}")
    return reduce(or_, (NAMES[word] for word in words))


def written(permissions: Permission) -> str:
    """Return permissions as they are typed."""
    return ",".join(name for name, each in NAMES.items() if each in permissions)


def ever_named(story: Iterable[Event]) -> tuple[Address, ...]:
    """Return the keys that were ever set as managers, in the order in which that was done first."""
    keys = (event.arguments["manager"] for event in story if event.name == "ManagerSet")
    return tuple(dict.fromkeys(Address(to_checksum_address(key)) for key in keys))


def describe_manager(manager: Manager | None, view: DeploymentView, money: Money) -> str:
    """Return what a key may do, in one line."""
    if manager is None:
        return "nothing"
    return f"{written(manager.permissions)}, {until(manager, view, money)}, may spend {money.amount(manager.spendable)}"


def until(manager: Manager, view: DeploymentView, money: Money) -> str:
    """Return how long a manager may act."""
    left = manager.expires_block - view.block_number
    if left <= 0:
        return f"expired at block {manager.expires_block}"
    return f"until block {manager.expires_block} (in {money.span(left)})"

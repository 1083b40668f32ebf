"""What a deployment costs by the hour, day and month, what of it is locked, and what would come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from cli.core.changes import Changes, Sign, refund_now
from cli.core.view import Attempt, DeploymentView
from moorage import terms, units
from moorage.money import SHOWN_PLACES, Money
from moorage.types import LEDGER_DECIMALS, Group, OrderState, Parameters

HOURS = {"hour": 1, "day": 24, "month": 720}
"""A month has 30 days."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Ledger units per block."""

    most: int
    """At the maximum prices of the file, interest on collateral included."""
    leased: int | None
    """With the prices of the leases that go on, the maximum for the rest; None: no lease goes on."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What the exchange holds for a deployment, in ledger units."""

    prepaid: int
    """In open orders, tips of their matches included, and in leases: not earned yet by their providers."""
    tips: int
    """Of each finish and of the closing."""


def rate_of(groups: Sequence[Group], parameters: Parameters, changes: Changes | None) -> Rate:
    """Return what a file costs once it is deployed.

    Args:
        groups: of the file.
        parameters: of the market.
        changes: from what is on chain; None if nothing is.
    """
    most = {group.name: terms.max_charge(group, parameters) for group in groups}
    kept = {
        each.name: each.before.lease.charge_per_block
        for each in (changes.groups if changes is not None else ())
        if each.sign is Sign.SAME and each.before is not None and each.before.lease is not None
    }
    return Rate(sum(most.values()), sum((most | kept).values()) if kept else None)


def locked(view: DeploymentView) -> Locked:
    """Return what the exchange holds for a deployment now."""
    live = [attempt for attempt in view.attempts if attempt.is_live]
    return Locked(sum(refund_now(view, each) - view.tip for each in live), view.tip * (len(live) + 1))


def comes_back(view: DeploymentView, ended: Sequence[Attempt]) -> tuple[int, int]:
    """Return what comes back at once (of orders), and once providers have confirmed the end (of leases)."""
    orders = sum(refund_now(view, each) for each in ended if each.state is OrderState.OPEN)
    leases = sum(refund_now(view, each) for each in ended if each.state is OrderState.LEASE_ACTIVE)
    return orders, leases


def describe_ends(view: DeploymentView, money: Money) -> dict[bytes, str]:
    """Return of each live order and lease, by its id, which group it is of, and what comes back if it ends now."""
    return {attempt.id: _describe_end(view, attempt, money) for attempt in view.attempts if attempt.is_live}


def _describe_end(view: DeploymentView, attempt: Attempt, money: Money) -> str:
    back = money.amount(refund_now(view, attempt))
    when = "" if attempt.lease is None else ", once its provider has confirmed the end"
    return f"group {attempt.group.name}: {back} comes back if it ends now{when}"


def per_hours(charge_per_block: int, hours: int, money: Money) -> str:
    """Return what a charge comes to in some hours, rounded to the nearest sixth decimal."""
    tokens = units.price_per_hour(charge_per_block, money.seconds_per_block, money.decimals) * hours
    rounded = Fraction(round(tokens * 10**SHOWN_PLACES), 10**SHOWN_PLACES)
    return f"{units.format_tokens(rounded or tokens, SHOWN_PLACES)} {money.symbol}"


def describe_most(charge_per_block: int, interest_per_block: int, money: Money) -> str:
    """Return the most that a file can cost by the hour, and how much of it no max-price of the file says."""
    of_it = f", {money.per_hour(interest_per_block)} of it interest on collateral" if interest_per_block else ""
    return f"at most {money.per_hour(charge_per_block)}{of_it}"


def most_document(charge_per_block: int, interest_per_block: int, money: Money) -> dict[str, str]:
    """Return the same for programs: tokens as decimal text."""
    return {
        "token": money.symbol,
        "max_price_per_hour": money.hourly_number(charge_per_block),
        "interest_per_hour": money.hourly_number(interest_per_block),
    }


def describe_rate(rate: Rate, money: Money) -> list[str]:
    """Return lines with what a deployment costs by the hour, the day and the month of 30 days."""
    lines = [f"cost at the maximum price  {_spans(rate.most, money)}"]
    if rate.leased is not None:
        lines.append(f"cost at leases' prices     {_spans(rate.leased, money)}")
    return lines


def _spans(charge_per_block: int, money: Money) -> str:
    words = {"hour": "/h", "day": "/day", "month": "/30 days"}
    return ", ".join(f"{per_hours(charge_per_block, HOURS[span], money)}{word}" for span, word in words.items())


def rate_document(rate: Rate, money: Money) -> dict[str, dict[str, str] | None]:
    """Return the same for programs."""
    return {
        "at_maximum_price": _amounts(rate.most, money),
        "at_lease_prices": _amounts(rate.leased, money) if rate.leased is not None else None,
    }


def _amounts(charge_per_block: int, money: Money) -> dict[str, str]:
    return {f"per_{span}": _number(charge_per_block, hours, money) for span, hours in HOURS.items()}


def _number(charge_per_block: int, hours: int, money: Money) -> str:
    decimals = max(money.decimals, LEDGER_DECIMALS)
    tokens = units.price_per_hour(charge_per_block, money.seconds_per_block, money.decimals) * hours
    return units.format_amount(round(tokens * 10**decimals), money.decimals)

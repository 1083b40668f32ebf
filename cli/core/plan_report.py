"""What a plan says: the difference between a file and its deployment, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.core.changes import Changes, GroupChange, Sign, size_of
from cli.core.costs import comes_back, locked
from cli.core.order_plan import OrderPlan
from cli.core.service_changes import ServiceChange
from cli.core.view import Attempt, DeploymentView, full, short
from moorage import regions
from moorage.money import Money
from moorage.types import OrderState

UNKNOWN_SERVICES = "the manifest on chain is not on this machine: what changes in the services is not known"


def describe_changes(view: DeploymentView, changes: Changes, money: Money) -> list[str]:
    """Return the lines that say what an update would change."""
    lines = ["services:", *_service_lines(changes), "groups:"]
    for each in changes.groups:
        lines += _group_lines(view, each, money)
    if changes.wait_duration is not None:
        there, wanted = changes.wait_duration
        lines.append(f"wait-duration: {there} blocks stay, a deployment keeps what it was made with (file: {wanted})")
    return lines


def _service_lines(changes: Changes) -> Iterator[str]:
    if changes.services is None:
        yield f"  ? {UNKNOWN_SERVICES}"
    elif not changes.services:
        yield "  = none changes"
    else:
        yield from map(_service_line, changes.services)


def _service_line(change: ServiceChange) -> str:
    details = f": {'; '.join(change.details)}" if change.details else ""
    return f"  {change.sign} {change.service} in {change.group}{details}"


def _group_lines(view: DeploymentView, change: GroupChange, money: Money) -> Iterator[str]:
    yield f"  {change.sign} {change.name}: {_fate(change, money)}"
    for detail in change.details:
        yield f"      {detail}"
    if change.sign is Sign.ADDED and change.after is not None:
        where = regions.describe([change.after.regions])
        sizes = ", ".join(f"{each.count} x {size_of(each)}" for each in change.after.resources)
        yield f"      in {where}: {sizes}"


def _fate(change: GroupChange, money: Money) -> str:
    before = _thing(change.before, money) if change.before is not None else ""
    match change.sign:
        case Sign.SAME:
            return f"keeps its {before}"
        case Sign.ADDED:
            return "new order"
        case Sign.CHANGED:
            return f"its {before} ends now, new order: nothing runs until it is matched"
        case Sign.REMOVED:
            return f"its {before} ends"


def _thing(attempt: Attempt, money: Money) -> str:
    lease = attempt.lease
    if lease is None:
        return f"open order {short(attempt.id)}"
    return f"lease {short(attempt.id)} of provider {lease.provider} at {money.per_hour(lease.charge_per_block)}"


def describe_locked(view: DeploymentView, money: Money) -> list[str]:
    """Return what the exchange holds for a deployment."""
    held = locked(view)
    prepaid, tips = money.amount(held.prepaid), money.amount(held.tips)
    return [
        f"locked now                 {prepaid} prepaid, {tips} for tips; `moorage delete` brings back what is unused"
    ]


def describe_payments(view: DeploymentView, changes: Changes, plan: OrderPlan, money: Money, missing: int) -> list[str]:
    """Return what an update takes and brings back.

    Args:
        missing: ledger units to be paid in from the wallet.
    """
    lines = []
    if plan.groups:
        blocks = max(group.prepaid_blocks for group in plan.groups)
        lines += [
            f"new orders                 prepaid for {money.span(blocks)} ({blocks} blocks) at the maximum price",
            f"taken from the account     {money.at_most(plan.total)}, tips of {money.at_most(plan.tips)} included",
            f"in the account now         {money.amount(plan.available)}",
            f"paid in from your wallet   {money.at_most(missing)}",
        ]
    orders, leases = comes_back(view, changes.ended)
    if changes.ended:
        later = f", about {money.amount(leases)} once the providers have reset" if leases else ""
        lines.append(f"comes back                 {money.amount(orders)} at once{later}")
    return lines


def changes_document(view: DeploymentView, changes: Changes, money: Money) -> dict[str, Any]:
    """Return what an update would change, for programs."""
    held = locked(view)
    orders, leases = comes_back(view, changes.ended)
    return {
        "deployment": full(view.id),
        "block": view.block_number,
        "version": full(view.version),
        "is_different": not changes.is_empty,
        "services": None if changes.services is None else [_service_document(each) for each in changes.services],
        "groups": [_group_document(each) for each in changes.groups],
        "wait_duration_blocks": list(changes.wait_duration) if changes.wait_duration is not None else None,
        "locked": {"prepaid": money.number(held.prepaid), "tips": money.number(held.tips)},
        "comes_back": {"at_once": money.number(orders), "after_reset": money.number(leases)},
    }


def _service_document(change: ServiceChange) -> dict[str, Any]:
    words = {"+": "added", "-": "removed", "~": "changed"}
    return {
        "service": change.service,
        "group": change.group,
        "change": words[change.sign],
        "details": list(change.details),
    }


def _group_document(change: GroupChange) -> dict[str, Any]:
    before = change.before
    return {
        "name": change.name,
        "change": change.sign.name.lower(),
        "order": full(before.id) if before is not None else None,
        "is_leased": before is not None and before.state is OrderState.LEASE_ACTIVE,
        "details": list(change.details),
    }

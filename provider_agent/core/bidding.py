"""Decides on which open orders to bid: those that admission lets through, the oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.snapshot import Snapshot
from moorage.types import Group, Order, OrderId, OrderKey
from provider_agent.core.admission import Admission, Means, admit
from provider_agent.core.capacity import total
from provider_agent.core.pricing import PricePolicy


@dataclass(frozen=True, slots=True)
class SubmitFulfillment:
    """A bid; its prices are ledger units per block, one for each resource group."""

    order: OrderId
    key: OrderKey
    group: Group
    prices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Declined:
    """An order on which there is no bid, and why."""

    order: OrderId
    reason: str


def decide_bids(
    snapshot: Snapshot, orders: Iterable[Order], means: Means, policy: PricePolicy, admission: Admission
) -> tuple[SubmitFulfillment | Declined, ...]:
    """Return a bid or a reason for each of some open orders without a bid of ours, the oldest order first.

    What an earlier bid of this decision takes is not offered to a later one.

    Args:
        means: what we have left at the snapshot's block.
        policy: our prices.
        admission: limits, and the operator's own functions.
    """
    decisions: list[SubmitFulfillment | Declined] = []
    for order in sorted(orders, key=lambda order: (order.created_block, order.id)):
        match admit(snapshot, order, means, policy, admission):
            case str(reason):
                decisions.append(Declined(order.id, reason))
            case prices:
                decisions.append(SubmitFulfillment(order.id, order.key, order.group, prices))
                means = after_bid(means, order)
    return tuple(decisions)


def after_bid(means: Means, order: Order) -> Means:
    """Return what is left after a bid on an order."""
    return means.without(total(order.group), order.collateral)

"""Decides on which open orders to bid: those that admission lets through, the oldest first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.snapshot import Snapshot
from moorage.types import Account, ComputeUnit, Group, OrderId, OrderKey, Provider
from provider_agent.core.admission import Admission, Means, admit
from provider_agent.core.capacity import locked, minus, reserved, total
from provider_agent.core.pricing import PricePolicy

__all__ = ["Declined", "SubmitFulfillment", "decide_bids", "reserved", "total"]


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
    snapshot: Snapshot,
    provider: Provider,
    account: Account,
    capacity: ComputeUnit,
    policy: PricePolicy,
    longest_wait_blocks: int,
    admission: Admission | None = None,
) -> tuple[SubmitFulfillment | Declined, ...]:
    """Return a bid or a reason for each open order without a bid of ours, the oldest order first.

    What an earlier bid of this decision takes is not offered to a later one.

    Args:
        provider: us, as registered at the snapshot's block.
        account: the provider's account at that block.
        capacity: what the machine has for leases in all.
        policy: our prices.
        longest_wait_blocks: how far away a match may be: a bid holds capacity and collateral until then.
        admission: further limits, and the operator's own functions.
    """
    admission = admission or Admission()
    admission = replace(admission, limits=replace(admission.limits, longest_wait_blocks=longest_wait_blocks))
    means = Means(provider, minus(capacity, reserved(snapshot, provider.number)), account, locked(snapshot))
    decisions: list[SubmitFulfillment | Declined] = []
    for order in sorted(snapshot.orders.values(), key=lambda order: (order.created_block, order.id)):
        if order.id in snapshot.fulfillments:
            continue
        match admit(snapshot, order, means, policy, admission):
            case str(reason):
                decisions.append(Declined(order.id, reason))
            case prices:
                decisions.append(SubmitFulfillment(order.id, order.key, order.group, prices))
                means = _after_bid(means, order.group, order.collateral)
    return tuple(decisions)


def _after_bid(means: Means, group: Group, collateral: int) -> Means:
    account = Account(means.account.available - collateral, means.account.committed + collateral)
    return Means(means.provider, minus(means.free, total(group)), account, means.locked + collateral)

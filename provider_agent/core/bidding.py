"""Decides on which open orders to bid: those whose resources are free, whose region fits and whose price pays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.snapshot import Snapshot
from moorage.types import (
    Account,
    ComputeUnit,
    DeploymentState,
    Group,
    Order,
    OrderId,
    OrderKey,
    Provider,
    ProviderNumber,
)
from provider_agent.core.pricing import PricePolicy, price_per_block


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
) -> tuple[SubmitFulfillment | Declined, ...]:
    """Return a bid or a reason for each open order without a bid of ours, the oldest order first.

    What an earlier bid of this decision takes is not offered to a later one.

    Args:
        provider: us, as registered at the snapshot's block.
        account: the provider's account at that block.
        capacity: what the machine has for leases in all.
        policy: our prices.
        longest_wait_blocks: how far away a match may be: a bid holds capacity and collateral until then.
    """
    free = _minus(capacity, reserved(snapshot, provider.number))
    decisions: list[SubmitFulfillment | Declined] = []
    for order in sorted(snapshot.orders.values(), key=lambda order: (order.created_block, order.id)):
        if order.id in snapshot.fulfillments:
            continue
        if order.match_block > snapshot.block.number + longest_wait_blocks:
            decisions.append(Declined(order.id, "its match is too far away"))
            continue
        decision = _decide(snapshot, order, provider, free, account, policy)
        if isinstance(decision, SubmitFulfillment):
            free = _minus(free, total(order.group))
            account = Account(account.available - order.collateral, account.committed + order.collateral)
        decisions.append(decision)
    return tuple(decisions)


def reserved(snapshot: Snapshot, provider: ProviderNumber) -> ComputeUnit:
    """Return what our leases use and what our live bids may come to use."""
    groups = [order.group for lease, order in snapshot.leased_orders.items() if _is_ours(snapshot, lease, provider)]
    groups += [snapshot.orders[order].group for order in snapshot.fulfillments if order in snapshot.orders]
    return _sum(total(group) for group in groups)


def total(group: Group) -> ComputeUnit:
    """Return what all compute units of a group come to."""
    return _sum(
        ComputeUnit(
            resource.compute.milli_cpu * resource.count,
            resource.compute.memory_bytes * resource.count,
            resource.compute.disk_bytes * resource.count,
        )
        for resource in group.resources
    )


def _decide(
    snapshot: Snapshot,
    order: Order,
    provider: Provider,
    free: ComputeUnit,
    account: Account,
    policy: PricePolicy,
) -> SubmitFulfillment | Declined:
    prices = tuple(price_per_block(resource.compute, policy) for resource in order.group.resources)
    reason = _objection(snapshot, order, provider, free, account, prices)
    if reason is not None:
        return Declined(order.id, reason)
    return SubmitFulfillment(order.id, order.key, order.group, prices)


def _objection(
    snapshot: Snapshot,
    order: Order,
    provider: Provider,
    free: ComputeUnit,
    account: Account,
    prices: tuple[int, ...],
) -> str | None:
    deployment = snapshot.deployments.get(order.key.deployment)
    if deployment is None or deployment.state is not DeploymentState.ACTIVE:
        return "the deployment is closing"
    if not order.group.regions & provider.region:
        return "it wants another region"
    if order.excluded_provider == provider.number:
        return "we let this lease go stale before"
    if not _fits(total(order.group), free):
        return "too little capacity is free"
    if any(price > resource.price_per_block for price, resource in zip(prices, order.group.resources, strict=True)):
        return "its maximum price is below ours"
    if order.collateral > account.available:
        return "too little collateral is free"
    if order.collateral > provider.collateral_cap - account.committed:
        return "the collateral cap leaves too little"
    # a full book is no reason: the exchange evicts its worst bid for a better one, and refuses ours at no cost else
    return None


def _is_ours(snapshot: Snapshot, lease: OrderId, provider: ProviderNumber) -> bool:
    return snapshot.leases[lease].provider == provider


def _sum(units: Iterable[ComputeUnit]) -> ComputeUnit:
    milli_cpu = memory_bytes = disk_bytes = 0
    for unit in units:
        milli_cpu += unit.milli_cpu
        memory_bytes += unit.memory_bytes
        disk_bytes += unit.disk_bytes
    return ComputeUnit(milli_cpu, memory_bytes, disk_bytes)


def _minus(left: ComputeUnit, right: ComputeUnit) -> ComputeUnit:
    return ComputeUnit(
        left.milli_cpu - right.milli_cpu,
        left.memory_bytes - right.memory_bytes,
        left.disk_bytes - right.disk_bytes,
    )


def _fits(wanted: ComputeUnit, free: ComputeUnit) -> bool:
    return (
        wanted.milli_cpu <= free.milli_cpu
        and wanted.memory_bytes <= free.memory_bytes
        and wanted.disk_bytes <= free.disk_bytes
    )

"""Adds and compares compute units: what an order needs, what leases and bids hold, what is left."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.snapshot import Snapshot
from moorage.types import ComputeUnit, Group, OrderId, ProviderNumber


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


def reserved(snapshot: Snapshot, provider: ProviderNumber) -> ComputeUnit:
    """Return what our leases use and what our live bids may come to use."""
    groups = [order.group for lease, order in snapshot.leased_orders.items() if _is_ours(snapshot, lease, provider)]
    groups += [snapshot.orders[order].group for order in snapshot.fulfillments if order in snapshot.orders]
    return _sum(total(group) for group in groups)


def locked(snapshot: Snapshot) -> int:
    """Return the collateral that is locked in our bids and leases."""
    return sum(bid.collateral for bid in snapshot.fulfillments.values())


def plus(left: ComputeUnit, right: ComputeUnit) -> ComputeUnit:
    """Return both together."""
    return _sum((left, right))


def minus(left: ComputeUnit, right: ComputeUnit) -> ComputeUnit:
    """Return what is left; negative where more is held than there is."""
    return ComputeUnit(
        left.milli_cpu - right.milli_cpu,
        left.memory_bytes - right.memory_bytes,
        left.disk_bytes - right.disk_bytes,
    )


def fits(wanted: ComputeUnit, free: ComputeUnit) -> bool:
    """Return whether there is enough of everything."""
    return (
        wanted.milli_cpu <= free.milli_cpu
        and wanted.memory_bytes <= free.memory_bytes
        and wanted.disk_bytes <= free.disk_bytes
    )


def _is_ours(snapshot: Snapshot, lease: OrderId, provider: ProviderNumber) -> bool:
    return snapshot.leases[lease].provider == provider


def _sum(units: Iterable[ComputeUnit]) -> ComputeUnit:
    milli_cpu = memory_bytes = disk_bytes = 0
    for unit in units:
        milli_cpu += unit.milli_cpu
        memory_bytes += unit.memory_bytes
        disk_bytes += unit.disk_bytes
    return ComputeUnit(milli_cpu, memory_bytes, disk_bytes)

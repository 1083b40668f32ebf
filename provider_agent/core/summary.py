"""What a provider has on the market at one block, as values: for the status command and for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from moorage.snapshot import Block, Snapshot
from moorage.types import (
    Account,
    ComputeUnit,
    DeploymentId,
    Fulfillment,
    Lease,
    OrderId,
    OrderState,
    Provider,
)
from provider_agent.core.capacity import locked, minus, reserved


class Standing(StrEnum):
    """How a lease stands for its provider."""

    AWAITING = "awaiting"
    """Matched, and not confirmed yet."""
    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    """Its prepaid time is over."""
    OVERDUE = "overdue"
    """Not confirmed in time: anybody may end it, and the collateral is lost."""
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class LeaseLine:
    lease: OrderId
    deployment: DeploymentId
    group: str
    standing: Standing
    charge_per_block: int
    confirmed_block: int
    deadline_block: int
    """The last block in which a confirmation is valid."""
    funded_block: int
    earned: int
    """Confirmed and not claimed yet."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Money in ledger units."""

    block: Block
    provider: Provider
    leases: tuple[LeaseLine, ...]
    open_bids: tuple[Fulfillment, ...]
    lost_bids: int
    """Whose collateral has to be taken back."""
    available: int
    locked: int
    """Collateral of live bids and leases."""
    slashed: int
    """Lost so far: it goes on counting against the cap."""
    cap_left: int
    earned: int
    unclaimed_leases: int
    """Stale ones that still hold something for us."""
    capacity: ComputeUnit
    reserved: ComputeUnit
    free: ComputeUnit
    charge_per_block: int
    """Of the leases that earn now."""
    period_blocks: int
    """How long a confirmation lasts."""
    blocks_to_deadline: int | None
    """Until the first confirmation comes too late; below 0: one is. None without leases that have to be confirmed."""


def summarise(snapshot: Snapshot, provider: Provider, account: Account, capacity: ComputeUnit) -> Summary:
    """Return what a provider has at the snapshot's block."""
    period = snapshot.parameters.reconfirmation_period_blocks
    ours = sorted(
        (lease for lease in snapshot.leases.values() if lease.provider == provider.number),
        key=lambda lease: (lease.deadline_block(period), lease.id),
    )
    lines = tuple(_line(snapshot, lease, period) for lease in ours)
    at_stake = locked(snapshot)
    held = reserved(snapshot, provider.number)
    deadlines = [line.deadline_block for line in lines if line.standing in CONFIRMED]
    return Summary(
        block=snapshot.block,
        provider=provider,
        leases=lines,
        open_bids=tuple(bid for bid in snapshot.fulfillments.values() if bid.order in snapshot.orders),
        lost_bids=sum(not _is_of_use(snapshot, bid) for bid in snapshot.fulfillments.values()),
        available=account.available,
        locked=at_stake,
        slashed=max(0, account.committed - at_stake),
        cap_left=max(0, provider.collateral_cap - account.committed),
        earned=sum(line.earned for line in lines),
        unclaimed_leases=len(snapshot.unclaimed),
        capacity=capacity,
        reserved=held,
        free=ComputeUnit(*(max(0, part) for part in _parts(minus(capacity, held)))),
        charge_per_block=sum(line.charge_per_block for line in lines if line.standing is Standing.ACTIVE),
        period_blocks=period,
        blocks_to_deadline=min(deadlines) - snapshot.block.number if deadlines else None,
    )


CONFIRMED = (Standing.AWAITING, Standing.ACTIVE, Standing.OVERDUE)
"""The standings in which a confirmation has to come."""


def _line(snapshot: Snapshot, lease: Lease, period: int) -> LeaseLine:
    order = snapshot.leased_orders[lease.id]
    return LeaseLine(
        lease=lease.id,
        deployment=order.key.deployment,
        group=order.group.name,
        standing=_standing(lease, snapshot.block.number, period),
        charge_per_block=lease.charge_per_block,
        confirmed_block=lease.confirmed_block,
        deadline_block=lease.deadline_block(period),
        funded_block=lease.funded_block,
        earned=lease.earned,
    )


def _standing(lease: Lease, block: int, period: int) -> Standing:
    if lease.state is OrderState.LEASE_CLOSING:
        return Standing.CLOSING
    if lease.is_stale(block, period):
        return Standing.OVERDUE
    if lease.is_awaiting:
        return Standing.AWAITING
    return Standing.EXHAUSTED if lease.is_exhausted(block, period) else Standing.ACTIVE


def _is_of_use(snapshot: Snapshot, bid: Fulfillment) -> bool:
    lease = snapshot.leases.get(bid.order)
    return bid.order in snapshot.orders or (lease is not None and lease.provider == bid.provider)


def _parts(unit: ComputeUnit) -> tuple[int, int, int]:
    return unit.milli_cpu, unit.memory_bytes, unit.disk_bytes

"""Decides what the agent owes the exchange in the next block: confirmations, claims, closings, releases."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from moorage.snapshot import Snapshot
from moorage.types import Lease, OrderId, OrderKey, OrderState, ProviderNumber

CONFIRM_BATCH = 128
CLOSE_BATCH = 32
"""The most that the exchange takes in one transaction."""
DUE_FRACTION = 2
"""A confirmation is due when this part of the period has passed."""
TAKE_ALONG_FRACTION = 4
"""A confirmation that is not due yet goes along with one that is, from this part of the period on."""


@dataclass(frozen=True, slots=True)
class ConfirmLeases:
    leases: tuple[OrderId, ...]


@dataclass(frozen=True, slots=True)
class ConfirmClosed:
    leases: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class ClaimLeases:
    leases: tuple[OrderId, ...]


@dataclass(frozen=True, slots=True)
class ReleaseFulfillment:
    """Get the collateral of a lost bid back."""

    order: OrderId


@dataclass(frozen=True, slots=True)
class Due:
    """Leases and bids of ours that there may be something to do about."""

    leases: tuple[OrderId, ...]
    bids: tuple[OrderId, ...]


Chore = ConfirmLeases | ConfirmClosed | ClaimLeases | ReleaseFulfillment


def decide_chores(
    snapshot: Snapshot,
    provider: ProviderNumber,
    reset: Collection[OrderId],
    claim_after_blocks: int,
    due: Due | None = None,
) -> tuple[Chore, ...]:
    """Return what to send, the most urgent first. Confirmations never wait for anything but their time.

    Args:
        reset: closing leases of which nothing is left on the engine.
        claim_after_blocks: how many confirmed blocks are claimed at once; what a stale lease holds is claimed at once.
        due: what to look at; None is everything.
    """
    block = snapshot.block.number + 1
    period = snapshot.parameters.reconfirmation_period_blocks
    due = due or Due((*snapshot.leases,), (*snapshot.fulfillments,))
    found = (snapshot.leases[each] for each in {*due.leases, *reset} if each in snapshot.leases)
    ours = sorted(
        (lease for lease in found if lease.provider == provider), key=lambda lease: (lease.confirmed_block, lease.id)
    )
    active = [lease for lease in ours if lease.state is OrderState.LEASE_ACTIVE]
    confirmations = decide_confirmations(active, block, period)
    closed = tuple(
        snapshot.key(lease.id) for lease in ours if lease.state is OrderState.LEASE_CLOSING and lease.id in reset
    )
    earned = (lease.id for lease in active if lease.confirmed_block - lease.claimed_block >= claim_after_blocks)
    claims = (*earned, *snapshot.unclaimed)
    lost = sorted(each for each in due.bids if is_lost(snapshot, each, provider))
    return (
        *confirmations,
        *(ConfirmClosed(closed[start : start + CLOSE_BATCH]) for start in _starts(closed, CLOSE_BATCH)),
        *(ClaimLeases(claims[start : start + CLOSE_BATCH]) for start in _starts(claims, CLOSE_BATCH)),
        *(ReleaseFulfillment(order) for order in lost),
    )


def decide_confirmations(active: Iterable[Lease], block: int, period: int) -> tuple[ConfirmLeases, ...]:
    """Return the confirmations that are due in a block.

    Args:
        active: leases of the provider that are active.
        block: a height.
        period: blocks within which a lease has to be confirmed again.
    """
    due = _confirmations(sorted(active, key=lambda lease: (lease.confirmed_block, lease.id)), block, period)
    return tuple(ConfirmLeases(due[start : start + CONFIRM_BATCH]) for start in _starts(due, CONFIRM_BATCH))


def _starts(items: tuple[object, ...], size: int) -> range:
    return range(0, len(items), size)


def _confirmations(active: list[Lease], block: int, period: int) -> tuple[OrderId, ...]:
    if not any(_age(lease, block, period) * DUE_FRACTION >= period for lease in active):
        return ()
    return tuple(lease.id for lease in active if _age(lease, block, period) * TAKE_ALONG_FRACTION >= period)


def _age(lease: Lease, block: int, period: int) -> int:
    """Return the blocks since the last confirmation as far as another one is of use: a period at most, 0 for none."""
    if block > lease.deadline_block(period):
        return 0  # too late, nothing but a stale call can end it
    if lease.is_awaiting or block >= lease.funded_block > lease.confirmed_block:
        return period
    return min(block, lease.funded_block) - lease.confirmed_block


def is_lost(snapshot: Snapshot, order: OrderId, provider: ProviderNumber) -> bool:
    """Return whether the provider has a bid on an order that it can't win any more."""
    if order in snapshot.orders or order not in snapshot.fulfillments:
        return False
    lease = snapshot.leases.get(order)
    return lease is None or lease.provider != provider

"""Decides when the registry is told anew of free capacity and price: seldom, for each time costs gas."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.advertisement import Advertisement
from moorage.types import ComputeUnit
from provider_agent.core.pricing import ADVERTISED, PricePolicy, Pricing, price_per_block

THRESHOLD_PERCENT = 10
"""Of the whole capacity: by how much what is free has to have changed."""


@dataclass(frozen=True, slots=True)
class AdvertiseCapacity:
    """Tell tenants what is free and what it costs."""

    free: ComputeUnit
    price: int
    """Ledger units per block of one CPU with 2 GiB of memory."""


@dataclass(frozen=True, slots=True)
class AdvertisementPolicy:
    """How often the registry is told."""

    longest_blocks: int
    """After so many it is told again although nothing has changed; 0: it is never told."""
    shortest_blocks: int
    """Within so many it is not told again whatever has changed."""
    threshold_percent: int = THRESHOLD_PERCENT


def decide_advertisement(
    block: int,
    capacity: ComputeUnit,
    free: ComputeUnit,
    price: int,
    newest: Advertisement | None,
    policy: AdvertisementPolicy,
) -> AdvertiseCapacity | None:
    """Return what to advertise, or None if what is on chain is good enough.

    Args:
        block: the height that is decided at.
        free: capacity minus what is reserved; negative counts as nothing.
        price: see `advertised_price`.
        newest: what the registry was told last, None if that was never, or longer ago than `longest_blocks`.
    """
    if policy.longest_blocks == 0:
        return None
    free = ComputeUnit(*(max(0, each) for each in _parts(free)))
    wanted = AdvertiseCapacity(free, price)
    if newest is None:
        return wanted
    age = block - newest.block_number
    if age < policy.shortest_blocks:
        return None
    is_due = age >= policy.longest_blocks
    has_changed = newest.price != price or _differs(capacity, free, newest.free, policy.threshold_percent)
    return wanted if is_due or has_changed else None


def advertised_price(policy: PricePolicy, pricing: Pricing = price_per_block) -> int | None:
    """Return the price to advertise; None if an operator's own pricing function does not give one."""
    try:
        price = pricing(ADVERTISED, policy)
    except (Exception, SystemExit):  # an operator's own function, and nothing depends on advertising
        return None
    return price if type(price) is int and 0 <= price < 2**256 else None


def _differs(capacity: ComputeUnit, free: ComputeUnit, told: ComputeUnit, threshold_percent: int) -> bool:
    """Return whether any part has changed by more than the threshold, or has run out, or is there again."""
    return any(
        abs(now - before) * 100 > whole * threshold_percent or (now == 0) != (before == 0)
        for whole, now, before in zip(_parts(capacity), _parts(free), _parts(told), strict=True)
    )


def _parts(unit: ComputeUnit) -> tuple[int, int, int]:
    return unit.milli_cpu, unit.memory_bytes, unit.disk_bytes

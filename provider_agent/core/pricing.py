"""What a provider asks for a compute unit, and where an operator's own function takes the place of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from moorage.types import ComputeUnit, Group

ADVERTISED = ComputeUnit(milli_cpu=1_000, memory_bytes=2 * 2**30, disk_bytes=0)
"""What the price in the registry is for: one CPU with 2 GiB of memory."""


@dataclass(frozen=True, slots=True)
class PricePolicy:
    """Ledger units per block."""

    per_milli_cpu: Fraction
    per_memory_byte: Fraction
    per_disk_byte: Fraction
    minimum: int
    """For one compute unit, however small."""


class Pricing(Protocol):
    """A function of an operator in place of `price_per_block`: `pricing = "module:function"` in the settings."""

    def __call__(self, compute: ComputeUnit, policy: PricePolicy) -> int:
        """Return the price of one compute unit in ledger units per block, 0 or more.

        Args:
            policy: what the settings say, for those who only want to change it a little.
        """
        ...


class BadPrice(ValueError):
    """What a pricing function gave is no price."""


def price_per_block(compute: ComputeUnit, policy: PricePolicy) -> int:
    """Return the price of one compute unit in ledger units per block, rounded up: never below what the policy says."""
    exact = (
        policy.per_milli_cpu * compute.milli_cpu
        + policy.per_memory_byte * compute.memory_bytes
        + policy.per_disk_byte * compute.disk_bytes
    )
    return max(policy.minimum, math.ceil(exact))


def prices_of(group: Group, policy: PricePolicy, pricing: Pricing = price_per_block) -> tuple[int, ...]:
    """Return the price of each resource group's compute unit.

    Raises:
        BadPrice: the pricing function gave something else than a whole number of 0 or more.
        Exception: whatever a pricing function of an operator raises.
    """
    prices = tuple(pricing(resource.compute, policy) for resource in group.resources)
    for price in prices:
        if type(price) is not int or price < 0:
            raise BadPrice(f"a price has to be a whole number of ledger units, 0 or more, not {price!r}"[:200])
    return prices

"""What a provider asks for a compute unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from moorage.types import ComputeUnit


@dataclass(frozen=True, slots=True)
class PricePolicy:
    """Ledger units per block."""

    per_milli_cpu: Fraction
    per_memory_byte: Fraction
    per_disk_byte: Fraction
    minimum: int
    """For one compute unit, however small."""


def price_per_block(compute: ComputeUnit, policy: PricePolicy) -> int:
    """Return the price of one compute unit in ledger units per block, rounded up: never below what the policy says."""
    exact = (
        policy.per_milli_cpu * compute.milli_cpu
        + policy.per_memory_byte * compute.memory_bytes
        + policy.per_disk_byte * compute.disk_bytes
    )
    return max(policy.minimum, math.ceil(exact))

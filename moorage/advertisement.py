"""What a provider has told the registry: free capacity and a price. It binds nobody; tenants search by it."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.types import ComputeUnit


@dataclass(frozen=True, slots=True)
class Advertisement:
    block_number: int
    free: ComputeUnit
    price: int
    """Ledger units per block of one CPU with 2 GiB of memory."""

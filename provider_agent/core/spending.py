"""Foretells what confirmations cost, how much coin an operator's key needs, and what is lost without them."""

from __future__ import annotations

import math
from fractions import Fraction

from moorage.snapshot import Snapshot
from moorage.types import OrderId

CONFIRMATION_GAS = 40_000
"""Of a transaction that confirms one lease."""
LEASE_GAS = 9_000
"""Of each further lease in it."""
BATCH = 128
FEE_MARGIN = 2
"""Fees rise: this many times what a block asks for now."""
SECONDS_PER_HOUR = 3_600


def gas_of_confirmations(leases: int) -> int:
    """Return the gas of confirming so many leases once."""
    batches = math.ceil(leases / BATCH)
    return batches * CONFIRMATION_GAS + max(0, leases - batches) * LEASE_GAS


def wei_per_hour(leases: int, period_blocks: int, seconds_per_block: Fraction, base_fee_wei: int) -> int:
    """Return what an hour of confirmations costs, one in each half of a period, rounded up."""
    confirmations = Fraction(SECONDS_PER_HOUR) / (seconds_per_block * period_blocks / 2)
    return math.ceil(confirmations * gas_of_confirmations(leases) * base_fee_wei * FEE_MARGIN)


def value_at_risk(snapshot: Snapshot, lease: OrderId) -> int:
    """Return what a missed confirmation costs, in ledger units: the collateral, and what a period would have earned."""
    earning = snapshot.leases[lease].charge_per_block * snapshot.parameters.reconfirmation_period_blocks
    return snapshot.leased_orders[lease].collateral + earning

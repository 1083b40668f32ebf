"""`moorage stale`: end leases that nobody confirms, as facilitators do."""

from __future__ import annotations

from cli.core.cranks import Crank
from cli.cranking import crank_command

command = crank_command(
    Crank.STALE,
    "LEASE",
    "End leases that their providers have not confirmed in time, and earn a tip for each.\n\n"
    "The collateral goes to the tenant; a lease that persists is ordered again.",
)

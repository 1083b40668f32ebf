"""`moorage release`: free the collateral of lost bids, as facilitators do."""

from __future__ import annotations

from cli.core.cranks import Crank
from cli.cranking import crank_command

command = crank_command(
    Crank.RELEASE,
    "ORDER",
    "Free the collateral of bids that have lost. It pays no tip.",
    has_provider=True,
)

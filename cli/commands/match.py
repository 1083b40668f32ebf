"""`moorage match`: turn open orders into leases, as facilitators do."""

from __future__ import annotations

from cli.core.cranks import Crank
from cli.cranking import crank_command

command = crank_command(
    Crank.MATCH,
    "ORDER",
    "Match open orders with their lowest bids, and earn a tip for each.\n\n"
    "Anyone may, from the block on in which an order's wait is over. Facilitators do it if there are any.",
)

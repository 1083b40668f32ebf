"""`moorage finish`: end what has waited for too long, as facilitators do."""

from __future__ import annotations

from cli.core.cranks import Crank
from cli.cranking import crank_command

command = crank_command(
    Crank.FINISH,
    "LEASE|DEPLOYMENT",
    "End leases that were closing or used up for too long, close what nothing lives in; earn a tip for each.\n\n"
    "Providers keep their collateral, what is not used goes back to the tenant.",
)

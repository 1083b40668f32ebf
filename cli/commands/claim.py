"""`moorage claim`: move what leases have earned, as facilitators do."""

from __future__ import annotations

from cli.core.cranks import Crank
from cli.cranking import crank_command

command = crank_command(
    Crank.CLAIM,
    "LEASE",
    "Move what leases have earned to the accounts of their providers. It pays no tip.",
    has_provider=True,
)

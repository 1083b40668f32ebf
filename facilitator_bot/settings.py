"""What an operator sets for one facilitator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    rpc_url: str
    market_file: Path
    key_file: Path | None
    """None: dry mode, decides and logs, sends nothing."""
    password_file: Path | None

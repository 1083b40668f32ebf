"""How a lease's manifest has come, or why it has not."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.types import Version


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is wanted for a lease and what is here."""

    wanted: Version | None
    """The newest on chain; None if that is not known."""
    held: Version | None
    """What was taken last; None until one has come."""
    source: str | None
    """Who has brought what is held, if that is known: a restart forgets it."""
    reason: str | None
    """Why what is wanted is not held; None if it is."""

    @property
    def is_complete(self) -> bool:
        """Whether the newest version is here."""
        return self.held is not None and self.held == self.wanted

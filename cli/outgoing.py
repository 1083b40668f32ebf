"""What one run remembers of what a wallet sends: as it was when it was shown, and the turn that it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.core.naming import PermitTerms
from moorage.chain.contracts import Call
from moorage.typed_data import TypedData
from moorage.types import Address

if TYPE_CHECKING:
    from cli.output import Screen
    from cli.turns import Turn

UNDOING_TIMES = 10
"""As much as was shown may the gas cost of what undoes a refused step: it is done without a question."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run has sent that was interrupted before it could tell."""

    description: str
    data: bytes
    to: Address
    transaction: str | None
    """None: it has not taken place, and never will."""
    block_number: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """How a wallet was when it was shown what is going to be sent."""

    next_nonce: int
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class PermitDraft:
    """A permit as it was shown, and as it is going to be signed."""

    terms: PermitTerms
    data: TypedData


@dataclass(frozen=True, slots=True)
class Paying:
    """How tokens get from the wallet into the account, as it was shown: by a permit, or after approvals."""

    amount_base_units: int
    permit: PermitDraft | None
    approvals: tuple[Call, ...]
    """None are needed with a permit."""


@dataclass(slots=True)
class Outgoing:
    """Lives as long as the run."""

    seen: Seen | None = None
    """Until the first turn: what comes later depends on what the run itself has done."""
    paying: Paying | None = None
    gas_wei: int | None = None
    """What is left of what the gas of all that was shown may cost; None if nothing was said of it."""
    shown_wei: int | None = None
    """All of what was shown of that."""
    agreed: tuple[Call, ...] = ()
    """What was shown when that was agreed to."""
    screen: Screen | None = field(default=None, repr=False)
    """While it has one."""
    turn: Turn | None = field(default=None, repr=False)
    """While it has one."""
    known: dict[bytes, str] = field(default_factory=dict)
    """By an order's or a deployment's id: what is shown beside what its calldata says."""
    tenant: Address | None = None
    """Whose account is spent, if it is not the wallet's own."""

    def allow_undoing(self) -> None:
        """Let what undoes a step cost some gas of its own, of which nothing could be said before."""
        self.gas_wei = None if self.shown_wei is None else self.shown_wei * UNDOING_TIMES

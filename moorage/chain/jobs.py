"""What the outbox is asked for and what comes of it: values that the programs decide with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from moorage.chain.contracts import Call
from moorage.chain.fees import FEE_LIMIT


class Cause(StrEnum):
    """Why something did not take place. Few values: it is a label of metrics."""

    LOST_RACE = "lost-race"
    """Somebody else has done it, or something that came first has made it impossible."""
    INVALID = "invalid"
    """The contract refuses it, with a reason."""
    BUG = "bug"
    """It fails without a reason, or the nonce was used by another program: somebody should look."""
    TOO_DEAR = "too-dear"
    """Gas costs more than it is worth."""
    NO_COIN = "no-coin"
    """The key cannot pay for the gas, or what it has is kept for what is more urgent."""
    SPENDING_CAP = "spending-cap"
    """The key has spent what it may spend in a day."""
    NODE_REFUSED = "node-refused"
    """The node does not take the transaction."""
    NO_ANSWER = "no-answer"
    """The node did not say what would come of it. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something that has to take place on chain once; a batch acts on several items."""

    kind: str
    """The transaction's name: submit_lease, ...; a label of metrics and logs."""
    items: tuple[bytes, ...]
    """Ids of what it acts on; (kind, item) is never in two transactions at a time."""
    make: Callable[[Sequence[int]], Call]
    """Gives the call for the items at these positions; values that can't be encoded are the job's fault alone."""
    priority: int = 0
    """0 goes first, and is the last to be held back when coin runs out."""
    worth_wei: tuple[int, ...] | None = None
    """The most that the gas for each item may cost, by its place; None for no other limit than the general ones."""


@dataclass(frozen=True, slots=True)
class Landed:
    """A transaction that is in a block and succeeded. If a reorganisation takes it back it is sent again.

    The exchange skips what it can't act on in a batch: the logs say on which of the items it has.
    """

    kind: str
    items: tuple[bytes, ...]
    transaction: str
    block_number: int
    gas_used: int
    logs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that did not take place."""

    kind: str
    items: tuple[bytes, ...]
    reason: str
    cause: Cause


Outcome: TypeAlias = Landed | Rejected


class Observer(Protocol):
    """Who is told what happens, to count it."""

    def submitted(self, kind: str) -> None: ...

    def landed(self, kind: str) -> None: ...

    def rejected(self, kind: str, cause: Cause) -> None: ...

    def replaced(self, kind: str) -> None: ...

    def held(self, kind: str) -> None:
        """Something is in no block, and a limit keeps its fees from being raised."""

    def spent(self, kind: str, wei: int) -> None:
        """Something is paid for for good: its block is final."""

    def balance(self, wei: int) -> None: ...


class NobodyObserves:
    """The observer of a program without metrics."""

    def submitted(self, kind: str) -> None:
        pass

    def landed(self, kind: str) -> None:
        pass

    def rejected(self, kind: str, cause: Cause) -> None:
        pass

    def replaced(self, kind: str) -> None:
        pass

    def held(self, kind: str) -> None:
        pass

    def spent(self, kind: str, wei: int) -> None:
        pass

    def balance(self, wei: int) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Limits:
    """What an outbox keeps to."""

    gas_per_transaction: int = 8_000_000
    """Batches that need more are split."""
    gas_margin_percent: int = 30
    """On top of the estimate: the state may be another one in the block, and so may the prices of instructions."""
    fee_multiple: int = FEE_LIMIT
    """How many times what a block asks for now is ever offered."""
    fee_cap_wei: int | None = None
    """What is offered for a unit of gas at most; None for no such limit."""
    daily_wei: int | None = None
    """What may be spent in a day (UTC); None for all that there is."""
    reserve_transactions: int = 5
    """For how many transactions of priority 0 coin is kept by those of priority 1, twice that by 2, and so on."""
    replace_after_blocks: int = 3
    """After how many blocks fees are raised."""
    depth_blocks: int = 12
    """After how many blocks a transaction counts as done if the node knows no final block."""

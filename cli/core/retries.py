"""Decides when something that did not get to its recipient is sent again, and when that is given up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FIRST_WAIT_SECONDS = 5.0
FACTOR = 4
LONGEST_WAIT_SECONDS = 4 * 3_600.0
JITTER = 0.2
"""How much longer a wait may be: what failed together must not come again together."""


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Refused for good, or given up."""
    TOO_OLD = "too-old"
    """It was never sent: it had happened too long before anybody looked."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The recipient has it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The recipient does not want it, and will not the next time."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """It may have it or not; the next time is another try."""

    reason: str
    wait_seconds: float = 0.0
    """That the recipient has asked for."""


Outcome = Arrived | Refused | Unanswered


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice for one recipient."""

    notice: str
    recipient: str
    state: DeliveryState
    first_seconds: float
    """Unix time from which it was due, later by the time for which nobody tried though it was."""
    due_seconds: float
    """Unix time of the next attempt."""
    attempts: int = 0
    last_seconds: float | None = None
    """Unix time of the last attempt."""
    problem: str | None = None
    """Of the last attempt."""


def after(delivery: Delivery, outcome: Outcome, now_seconds: float, chance: float, give_up_seconds: float) -> Delivery:
    """Return a delivery as it is after an attempt.

    Args:
        chance: from 0 to 1.
        give_up_seconds: after the first attempt was due; time in which nobody was there to try does not count.
    """
    state, due, problem = DeliveryState.WAITING, delivery.due_seconds, None
    first = delivery.first_seconds + max(now_seconds - delivery.due_seconds, 0.0)  # a machine that was off or asleep
    match outcome:
        case Arrived():
            state = DeliveryState.DELIVERED
        case Refused(reason):
            state, problem = DeliveryState.FAILED, reason
        case Unanswered(reason, asked):
            due, problem = now_seconds + max(wait_seconds(delivery.attempts, chance), asked), reason
            if due - first > give_up_seconds:
                state, problem = DeliveryState.FAILED, f"given up after {delivery.attempts + 1} attempts: {reason}"
    attempts = delivery.attempts + 1
    return Delivery(delivery.notice, delivery.recipient, state, first, due, attempts, now_seconds, problem)


def wait_seconds(attempts: int, chance: float) -> float:
    """Return how long to wait after this many earlier attempts and one more."""
    wait = min(FIRST_WAIT_SECONDS * float(FACTOR ** min(attempts, 20)), LONGEST_WAIT_SECONDS)
    return wait * (1 + JITTER * chance)

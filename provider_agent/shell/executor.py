"""Turns what was decided for the exchange into jobs of the outbox, whose items can be sent apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar, assert_never

from moorage.chain.contracts import Call, Exchange
from moorage.chain.jobs import Job
from moorage.terms import order_id
from moorage.types import OrderId, OrderKey, ProviderNumber
from provider_agent.core.bidding import SubmitFulfillment
from provider_agent.core.chores import Chore, ClaimLeases, ConfirmClosed, ConfirmLeases, ReleaseFulfillment

Item = TypeVar("Item")

BID = "submit_fulfillment"
PRIORITIES = {
    "submit_lease_confirmation": 0,
    "confirm_closed": 1,
    "claim": 2,
    "release_fulfillments": 2,
    BID: 3,
}
"""When coin runs out, bids are held back first and confirmations never."""


def to_job(
    exchange: Exchange,
    provider: ProviderNumber,
    intent: SubmitFulfillment | Chore,
    worth_wei: Callable[[OrderId], int] | None = None,
) -> Job:
    """Return the transaction of an intent.

    Args:
        worth_wei: gives what the confirmation of a lease is worth, in the chain's coin; None if nobody knows.
    """
    match intent:
        case SubmitFulfillment(order=order, key=key, group=group, prices=prices):
            return _single(BID, order, lambda: exchange.submit_fulfillment(provider, key, group, prices))
        case ConfirmLeases(leases=leases):
            confirm = exchange.submit_lease_confirmation
            job = _job("submit_lease_confirmation", leases, leases, lambda some: confirm(provider, some))
            return job if worth_wei is None else replace(job, worth_wei=tuple(map(worth_wei, leases)))
        case ConfirmClosed(leases=keys):
            return _job("confirm_closed", keys, _ids(keys), lambda some: exchange.confirm_closed(provider, some))
        case ClaimLeases(leases=leases):
            return _job("claim", leases, leases, exchange.claim)
        case ReleaseFulfillment(order=order):
            return _single("release_fulfillments", order, lambda: exchange.release_fulfillments(order, [provider]))
        case _:
            assert_never(intent)


def _job(kind: str, things: Sequence[Item], ids: tuple[bytes, ...], make: Callable[[Sequence[Item]], Call]) -> Job:
    return Job(kind, ids, lambda positions: make([things[at] for at in positions]), PRIORITIES[kind])


def _single(kind: str, order: OrderId, make: Callable[[], Call]) -> Job:
    return Job(kind, (order,), lambda _: make(), PRIORITIES[kind])


def _ids(keys: Sequence[OrderKey]) -> tuple[bytes, ...]:
    return tuple(order_id(key) for key in keys)

"""Carries out what was decided for the exchange: bids and chores become transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import structlog

from moorage.chain.contracts import Call, Exchange
from moorage.chain.sender import Refused, Sender
from moorage.crash import crash_point
from moorage.types import ProviderNumber
from provider_agent.core.bidding import SubmitFulfillment
from provider_agent.core.chores import Chore, ClaimLeases, ConfirmClosed, ConfirmLeases, ReleaseFulfillment

log = structlog.get_logger(__name__)


def to_call(exchange: Exchange, provider: ProviderNumber, intent: SubmitFulfillment | Chore) -> Call:
    """Return the transaction of an intent."""
    match intent:
        case SubmitFulfillment(key=key, group=group, prices=prices):
            return exchange.submit_fulfillment(provider, key, group, prices)
        case ConfirmLeases(leases=leases):
            return exchange.submit_lease_confirmation(provider, leases)
        case ConfirmClosed(leases=keys):
            return exchange.confirm_closed(provider, keys)
        case ClaimLeases(leases=leases):
            return exchange.claim(leases)
        case ReleaseFulfillment(order=order):
            return exchange.release_fulfillments(order, [provider])
        case _:
            assert_never(intent)


async def execute(
    exchange: Exchange, sender: Sender, provider: ProviderNumber, intents: Sequence[SubmitFulfillment | Chore]
) -> int:
    """Send the transactions of all intents and log what comes of them.

    Returns:
        The newest block that has one of them, 0 if none has.

    Raises:
        ChainError: the node does not answer, or a transaction does not get into a block.
    """
    for intent in intents:
        crash_point(f"before-{type(intent).__name__}")
    if not intents:
        return 0
    newest = 0
    for outcome in await sender.send_all([to_call(exchange, provider, intent) for intent in intents]):
        transaction = outcome.call.description
        if isinstance(outcome, Refused):
            log.info("transaction refused", transaction=transaction, reason=outcome.reason)
        else:
            newest = max(newest, outcome.block_number)
            log.info("transaction confirmed", transaction=transaction, block=outcome.block_number, gas=outcome.gas_used)
    for intent in intents:
        crash_point(f"after-{type(intent).__name__}")
    return newest

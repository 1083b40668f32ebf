"""Carries out what was decided: intents become transactions, and what comes of them is logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import structlog

from facilitator_bot.core.decisions import CloseDeployments, FinishLeases, Intent, SubmitLeases, SubmitStaleLeases
from moorage.chain.contracts import Call, Exchange
from moorage.chain.sender import Refused, Sender

log = structlog.get_logger(__name__)


def to_call(exchange: Exchange, intent: Intent) -> Call:
    """Return the transaction of an intent."""
    match intent:
        case SubmitLeases(orders=orders):
            return exchange.submit_lease(orders)
        case SubmitStaleLeases(leases=leases):
            return exchange.submit_stale_lease(leases)
        case FinishLeases(leases=leases):
            return exchange.finish_leases(leases)
        case CloseDeployments(deployments=deployments):
            return exchange.deployment_closed(deployments)
        case _:
            assert_never(intent)


async def execute(exchange: Exchange, sender: Sender | None, intents: Sequence[Intent]) -> None:
    """Send the transactions of all intents; without a sender only say what would be sent.

    Raises:
        ChainError: the node does not answer, or a transaction does not get into a block.
    """
    calls = [to_call(exchange, intent) for intent in intents]
    if sender is None:
        for call in calls:
            log.info("dry mode: not sent", transaction=call.description)
        return
    if not calls:
        return
    for outcome in await sender.send_all(calls):
        if isinstance(outcome, Refused):
            # somebody else has done it in the meantime; the next snapshot tells
            log.info("transaction refused", transaction=outcome.call.description, reason=outcome.reason)
        else:
            log.info(
                "transaction confirmed",
                transaction=outcome.call.description,
                block=outcome.block_number,
                gas=outcome.gas_used,
            )

"""How every command sends: what was shown and agreed to, one transaction after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.desk import Desk
from cli.review import review
from cli.turns import take_turn
from moorage.chain.contracts import Call
from moorage.chain.sender import Refused, Sent


async def transact(desk: Desk, calls: Sequence[Call], question: str) -> list[Sent]:
    """Show what calls do, ask, send each when the one before has landed, and return what landed.

    Returns:
        Nothing if nothing is to be sent: --dry-run, or --unsigned-out, which writes the transactions to a file.

    Raises:
        NotSent: a transaction was refused, or would be; those before it have landed.
        NodeUnavailable: the node does not answer.
        Failure: nobody to ask, a signer elsewhere did not sign, or an interrupted run has done the same.
        click.Abort: it was not agreed to.
    """
    if not await review(desk, calls, question):
        return []
    async with take_turn(desk):
        return [await send(desk, call) for call in calls]


async def send(desk: Desk, call: Call) -> Sent:
    """Send what was agreed to, and return when it is in a block.

    Raises:
        NotSent: it was refused.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    async with take_turn(desk) as turn:
        return await turn.send(call)


async def attempt(desk: Desk, call: Call) -> Sent | Refused:
    """Send what was agreed to; being refused is an outcome.

    Raises:
        NotSent: it could not be sent, or is not in a block in time.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    async with take_turn(desk) as turn:
        return await turn.attempt(call)


def transactions_document(sent: Sequence[Sent]) -> list[dict[str, Any]]:
    """Return what has landed, for programs."""
    return [{"transaction": each.transaction, "block": each.block_number} for each in sent]

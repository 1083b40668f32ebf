"""What a wallet has sent and is in no block yet: until that is decided, nobody can tell what is still to be sent."""

from __future__ import annotations

import asyncio

from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.output import note
from cli.session import Session
from moorage.chain.receipts import look
from moorage.types import Address

PATIENCE_SECONDS = 120.0


async def settle(environment: Environment, session: Session, wallet: Address) -> None:
    """Wait until all that the wallet has sent is in blocks: a run that was killed may have left a transaction.

    Raises:
        Failure: something is still in no block.
        NodeUnavailable: the node does not answer.
    """
    until = environment.clock() + PATIENCE_SECONDS
    count = await _pending(session, wallet)
    if count:
        note(f"wallet {wallet} has sent {count} transactions that are in no block yet: waiting for them")
    while count:
        if environment.clock() >= until:
            text = (
                f"{count} transactions of wallet {wallet} are in no block after {PATIENCE_SECONDS:.0f} s; nothing was "
                "sent beside them: run the same command again once they are"
            )
            raise Failure(ExitStatus.CHAIN_UNAVAILABLE, text)
        await asyncio.sleep(environment.poll_seconds)
        count = await _pending(session, wallet)


async def _pending(session: Session, wallet: Address) -> int:
    sight = await look(session.rpc, wallet, ())
    return sight.known - sight.mined

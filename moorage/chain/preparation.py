"""Makes signed transactions of what would succeed: one nonce each, as far as the budget goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from moorage.chain.budget import Budget, price
from moorage.chain.fees import Quote
from moorage.chain.jobs import Cause, Rejected
from moorage.chain.journal_rows import Row, State
from moorage.chain.rpc import ChainError, NodeUnavailable
from moorage.chain.signer import Signer, SigningRefused
from moorage.chain.simulation import Ready
from moorage.chain.transactions import Signed, Transaction

SIGNED_AT_ONCE = 20


async def prepare(
    ready: Sequence[Ready], quote: Quote, budget: Budget, signer: Signer, chain_id: int, first_nonce: int
) -> tuple[list[Row], list[Rejected]]:
    """Sign in the order given; what is too dear or not signed takes no nonce.

    A signer that does not answer is not waited for again and again: the rest is left for the next time.
    """
    silence: NodeUnavailable | None = None
    rows: list[Row] = []
    rejected: list[Rejected] = []
    for position, each in enumerate(ready):
        if position % SIGNED_AT_ONCE == 0:
            await asyncio.sleep(0)  # whoever waits for a node, or for this program, has a turn
        if silence is not None:
            rejected.append(each.part.rejected(str(silence), Cause.NO_ANSWER))
            continue
        fees = price(each, quote, budget)
        if isinstance(fees, Rejected):
            rejected.append(fees)
            continue
        call, nonce = each.call, first_nonce + len(rows)
        transaction = Transaction(chain_id, nonce, call.to, call.data, each.gas, fees)
        try:
            rows.append(_row(each, transaction, await signer.sign(transaction), quote.block_number))
        except NodeUnavailable as error:
            silence = error
            rejected.append(each.part.rejected(str(error), Cause.NO_ANSWER))
        except ChainError as error:
            cause = Cause.BUG if isinstance(error, SigningRefused) else Cause.NO_ANSWER
            rejected.append(each.part.rejected(str(error), cause))
    return rows, rejected


def _row(ready: Ready, transaction: Transaction, signed: Signed, block_number: int) -> Row:
    return Row(
        nonce=transaction.nonce,
        state=State.PREPARED,
        kind=ready.part.job.kind,
        items=ready.part.items,
        description=ready.call.description,
        to=transaction.to,
        data=transaction.data,
        gas=transaction.gas,
        fees=transaction.fees,
        worth_wei=ready.part.worth_wei,
        hashes=(signed.hash,),
        void_from=None,
        raw=signed.raw,
        first_block=block_number,
        last_block=block_number,
    )

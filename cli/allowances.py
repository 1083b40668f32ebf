"""What lets the exchange take exactly an amount of the wallet's tokens: a permit, or approvals."""

from __future__ import annotations

from cli.core.naming import PermitTerms
from cli.outgoing import Paying, PermitDraft
from cli.session import Session
from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.permit import permit_message
from moorage.types import Address

PERMIT_SECONDS = 3_600
LANDING_SECONDS = 120
"""What a transaction may take to get into a block: a permit has to be good for that long when it is signed."""


async def draft_paying(session: Session, wallet: Address, amount_base_units: int, *, may_permit: bool = True) -> Paying:
    """Return what has to be signed so that the exchange may take exactly an amount: a permit where the token has one.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    permit = await draft_permit(session, wallet, amount_base_units) if may_permit else None
    approvals = [] if permit is not None else await exact_allowance(session, wallet, amount_base_units)
    return Paying(amount_base_units, permit, tuple(approvals))


async def still_does(session: Session, wallet: Address, paying: Paying) -> bool:
    """Return whether what was shown is still what has to be signed: it may have waited for an answer.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    if paying.permit is None:
        return paying.approvals == tuple(await exact_allowance(session, wallet, paying.amount_base_units))
    now_seconds = (await read_block(session.rpc)).timestamp
    return now_seconds + LANDING_SECONDS <= paying.permit.terms.deadline_seconds


async def draft_permit(session: Session, wallet: Address, amount_base_units: int) -> PermitDraft | None:
    """Return a permit for exactly an amount, unsigned; None if the token has none that is known.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    deadline_seconds = (await read_block(session.rpc)).timestamp + PERMIT_SECONDS
    data = await permit_message(session.rpc, session.market, wallet, amount_base_units, deadline_seconds)
    terms = PermitTerms(wallet, session.market.exchange, amount_base_units, deadline_seconds)
    return PermitDraft(terms, data) if data is not None else None


async def exact_allowance(session: Session, wallet: Address, amount_base_units: int) -> list[Call]:
    """Return what lets the exchange take exactly an amount; some tokens want 0 between two allowances.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    exchange = session.market.exchange
    allowed = await session.token.allowance(None, wallet, exchange)
    if allowed == amount_base_units:
        return []
    to_zero = [session.token.approve(exchange, 0)] if allowed else []
    return [*to_zero, session.token.approve(exchange, amount_base_units)]

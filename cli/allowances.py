"""What lets the exchange take exactly an amount of the wallet's tokens: a permit, or approvals."""

from __future__ import annotations

from cli.core.naming import PermitTerms
from cli.outgoing import PermitDraft
from cli.session import Session
from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.permit import permit_message
from moorage.types import Address

PERMIT_SECONDS = 3_600


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

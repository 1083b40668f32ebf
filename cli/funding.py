"""Brings tokens from the tenant's wallet into its account: by permit for exactly the amount, else by approval."""

from __future__ import annotations

from cli.failures import ExitStatus, Failure
from cli.session import Session
from cli.signers import TenantSigner
from cli.transacting import attempt, send
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.permit import sign_permit
from moorage.chain.sender import Refused, Sent
from moorage.types import Address

PERMIT_SECONDS = 3_600


async def check_funds(session: Session, tenant: Address, amount_base_units: int) -> None:
    """Check that the wallet has the tokens to pay in.

    Raises:
        Failure: it has not.
    """
    balance = await session.token.balance(None, tenant)
    if balance < amount_base_units:
        money, decimals = session.money, session.market.parameters.token_decimals
        has = money.amount(units.to_ledger_units(balance, decimals))
        needs = money.at_most(units.to_ledger_units(amount_base_units, decimals))
        text = f"wallet {tenant} has {has}, {needs} are needed: send it tokens of {session.market.token}"
        raise Failure(ExitStatus.WALLET, text)


async def deposit(session: Session, signer: TenantSigner, amount_base_units: int) -> Sent:
    """Pay tokens of the wallet into its account on the exchange, as was agreed. No allowance is left behind.

    Raises:
        NotSent: the token or the exchange refuses.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    by_permit = await _permit_call(session, signer, amount_base_units)
    if by_permit is not None:
        outcome = await attempt(session, signer, by_permit)
        if isinstance(outcome, Sent):
            return outcome  # else: a permit of another form (DAI), or a fallback that only swallowed it
    for call in await _exact_allowance(session, signer.address, amount_base_units):
        await send(session, signer, call)
    outcome = await attempt(session, signer, session.exchange.deposit(signer.address, amount_base_units))
    if isinstance(outcome, Refused):
        await send(session, signer, session.token.approve(session.market.exchange, 0))
        raise Failure(ExitStatus.REFUSED, f"the deposit was refused: {outcome.reason}")
    return outcome


async def _permit_call(session: Session, signer: TenantSigner, amount_base_units: int) -> Call | None:
    deadline_seconds = (await read_block(session.rpc)).timestamp + PERMIT_SECONDS
    permit = await sign_permit(session.rpc, session.market, signer, amount_base_units, deadline_seconds)
    if permit is None:
        return None
    return session.exchange.deposit_with_permit(signer.address, amount_base_units, permit)


async def _exact_allowance(session: Session, tenant: Address, amount_base_units: int) -> list[Call]:
    """Return what lets the exchange take exactly the amount; some tokens want 0 between two allowances."""
    exchange = session.market.exchange
    allowed = await session.token.allowance(None, tenant, exchange)
    if allowed == amount_base_units:
        return []
    to_zero = [session.token.approve(exchange, 0)] if allowed else []
    return [*to_zero, session.token.approve(exchange, amount_base_units)]

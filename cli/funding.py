"""Brings tokens from the tenant's wallet into its account: by permit for exactly the amount, else by approval."""

from __future__ import annotations

from cli.allowances import draft_permit, exact_allowance
from cli.failures import ExitStatus, Failure
from cli.output import note
from cli.session import Session
from cli.signers import TenantSigner
from cli.transacting import attempt, send
from cli.turns import take_turn
from moorage import units
from moorage.chain.contracts import Call
from moorage.chain.permit import sign_permit
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import Refused, Sent
from moorage.types import Address


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
    async with take_turn(session, signer):
        return await _deposit(session, signer, amount_base_units)


async def _deposit(session: Session, signer: TenantSigner, amount_base_units: int) -> Sent:
    by_permit = await _permit_call(session, signer, amount_base_units)
    if by_permit is not None:
        outcome = await attempt(session, signer, by_permit)
        if isinstance(outcome, Sent):
            return outcome  # else: a permit of another form (DAI), or a fallback that only swallowed it
        note(f"the token does not take the permit ({outcome.reason}): exactly the amount is approved instead")
    for call in await exact_allowance(session, signer.address, amount_base_units):
        await send(session, signer, call)
    outcome = await attempt(session, signer, session.exchange.deposit(signer.address, amount_base_units))
    if isinstance(outcome, Refused):
        await send(session, signer, session.token.approve(session.market.exchange, 0))
        raise Failure(ExitStatus.REFUSED, f"the deposit was refused: {outcome.reason}")
    return outcome


async def _permit_call(session: Session, signer: TenantSigner, amount_base_units: int) -> Call | None:
    """Return the deposit by the permit that was shown; None if the token has no permit that is known."""
    draft = signer.outgoing.permit
    if draft is None or draft.terms.amount_base_units != amount_base_units:
        draft = await draft_permit(session, signer.address, amount_base_units)
    if draft is None:
        return None
    try:
        permit = await sign_permit(signer, draft.data, draft.terms.deadline_seconds)
    except NodeUnavailable:
        raise signer.failure or Failure(ExitStatus.SIGNER, "the signer does not answer") from None
    return session.exchange.deposit_with_permit(signer.address, amount_base_units, permit)

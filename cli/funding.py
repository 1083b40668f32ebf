"""Brings tokens from the tenant's wallet into its account: by permit for exactly the amount, else by approval."""

from __future__ import annotations

from cli.allowances import draft_paying, still_does
from cli.desk import Desk
from cli.failures import ExitStatus, Failure
from cli.outgoing import Paying, PermitDraft
from cli.output import note
from cli.review import agree_again
from cli.session import Session
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


async def deposit(desk: Desk, amount_base_units: int) -> Sent:
    """Pay tokens of the wallet into its account on the exchange, as was agreed. No allowance is left behind.

    Raises:
        NotSent: the token or the exchange refuses.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
        click.Abort: it has to be done otherwise than was shown, and that was not agreed to.
    """
    async with take_turn(desk):
        return await _deposit(desk, amount_base_units)


async def _deposit(desk: Desk, amount_base_units: int) -> Sent:
    paying = await _as_shown(desk, amount_base_units)
    if paying.permit is not None:
        outcome = await attempt(desk, await _permit_call(desk, paying.permit))
        if isinstance(outcome, Sent):
            return outcome  # else: a permit of another form (DAI), or a fallback that only swallowed it
        paying = await draft_paying(desk.session, desk.signer.address, amount_base_units, may_permit=False)
        await agree_again(desk, paying, f"the token does not take the permit ({outcome.reason})")
    for call in paying.approvals:
        await send(desk, call)
    outcome = await attempt(desk, desk.session.exchange.deposit(desk.signer.address, amount_base_units))
    if isinstance(outcome, Refused):
        note("the deposit was refused: what the exchange was allowed to take is set to 0 again")
        desk.outgoing.allow_undoing()
        await send(desk, desk.session.token.approve(desk.session.market.exchange, 0))
        raise Failure(ExitStatus.REFUSED, f"the deposit was refused: {outcome.reason}")
    return outcome


async def _as_shown(desk: Desk, amount_base_units: int) -> Paying:
    """Return how it was shown to be paid in; if that has changed since it is shown and asked again."""
    shown = desk.outgoing.paying
    is_this = shown is not None and shown.amount_base_units == amount_base_units
    if shown is not None and is_this and await still_does(desk.session, desk.signer.address, shown):
        return shown
    paying = await draft_paying(desk.session, desk.signer.address, amount_base_units)
    permit = shown.permit if shown is not None else None
    why = "the permit that was shown has run out" if permit and is_this else "what the exchange may take has changed"
    await agree_again(desk, paying, why)
    return paying


async def _permit_call(desk: Desk, permit: PermitDraft) -> Call:
    """Return the deposit by the permit that was shown."""
    try:
        signed = await sign_permit(desk.signer, permit.data, permit.terms.deadline_seconds)
    except NodeUnavailable:
        raise desk.signer.failure or Failure(ExitStatus.SIGNER, "the signer does not answer") from None
    return desk.session.exchange.deposit_with_permit(desk.signer.address, permit.terms.amount_base_units, signed)

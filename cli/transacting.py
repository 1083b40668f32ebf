"""How every command sends: what is to be signed is shown, agreed to, and sent one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Options
from cli.output import note
from cli.session import Session
from cli.signers import TenantSigner
from moorage.chain.contracts import Call
from moorage.chain.rpc import NodeUnavailable
from moorage.chain.sender import NotSent, Refused, Sender, Sent


async def transact(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    calls: Sequence[Call],
    question: str,
) -> list[Sent]:
    """Show what calls do, ask, send each when the one before has landed, and return what landed.

    Returns:
        Nothing if nothing is to be sent: --dry-run, or --unsigned-out, which writes the transactions to a file.

    Raises:
        NotSent: a transaction was refused; those before it have landed.
        NodeUnavailable: the node does not answer.
        Failure: nobody to ask, or a signer elsewhere did not sign.
        click.Abort: it was not agreed to.
    """
    if not await review(environment, options, session, signer, calls, question):
        return []
    return [await send(session, signer, call) for call in calls]


async def review(
    environment: Environment,
    options: Options,
    session: Session,
    signer: TenantSigner,
    calls: Sequence[Call],
    question: str,
) -> bool:
    """Show what calls do and ask; return whether they are to be sent now."""
    for call in calls:
        note(f"{call.description} at {call.to} on chain {session.market.chain_id}")
    if options.is_dry_run:
        note("nothing was sent (--dry-run)")
        return False
    if options.unsigned_file is not None:
        raise Failure(ExitStatus.USAGE, "--unsigned-out: not yet")
    environment.confirm(question, is_agreed=options.is_agreed)
    await signer.unlock()
    return True


async def send(session: Session, signer: TenantSigner, call: Call) -> Sent:
    """Send what was agreed to, and return when it is in a block.

    Raises:
        NotSent: it was refused.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    outcome = await attempt(session, signer, call)
    if isinstance(outcome, Refused):
        raise NotSent(f"{call.description}: {outcome.reason}")
    return outcome


async def attempt(session: Session, signer: TenantSigner, call: Call) -> Sent | Refused:
    """Send what was agreed to; being refused is an outcome.

    Raises:
        NotSent: it could not be sent, or is not in a block in time.
        NodeUnavailable: the node does not answer.
        Failure: a signer elsewhere did not sign.
    """
    try:
        (outcome,) = await Sender(session.rpc, signer, session.market.chain_id).send_all([call])
    except NodeUnavailable:
        if signer.failure is not None:
            raise signer.failure from None
        raise
    if isinstance(outcome, Refused) and signer.failure is not None:
        raise signer.failure
    return outcome

"""What an interrupted run has sent with the wallet: it is waited for and told, and not done a second time."""

from __future__ import annotations

from collections.abc import Sequence

from cli.desk import Desk
from cli.failures import ExitStatus, Failure
from cli.outgoing import Earlier
from cli.turns import forget, look
from cli.wording import decode
from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.types import Address

NOT_TWICE = frozenset(
    {
        "deposit",
        "deposit_with_permit",
        "withdraw",
        "withdraw_to",
        "transfer",
        "transferFrom",
        "fund",
        "update_deployment",
    }
)
"""What does something more each time that it is sent."""
DEPOSITS = ("deposit", "deposit_with_permit")


async def settle(desk: Desk) -> None:
    """Wait for what an interrupted run has sent with the wallet, and tell it: what comes now is planned after that.

    Raises:
        NodeUnavailable: the node does not answer.
        Failure: another run is sending.
    """
    if desk.options.is_sending and desk.outgoing.seen is None:
        desk.outgoing.seen = await look(desk)


async def check_not_done(desk: Desk, call: Call) -> None:
    """See that an interrupted run has not done the same, where that would be done a second time.

    Raises:
        Failure: it has.
        NodeUnavailable: the node does not answer.
    """
    decoded = decode(desk.session.market, call)
    if decoded is not None and decoded.function in NOT_TWICE and was_done(desk, call):
        await forget(desk)
        text = f"{call.description} was done by that run"
        raise Failure(ExitStatus.REFUSED, f"{text}: nothing was sent now, run it again to do it once more")


def was_done(desk: Desk, call: Call) -> bool:
    """Return whether an interrupted run has done the very same."""
    seen = desk.outgoing.seen
    return seen is not None and _landed(seen.earlier, call) is not None


def _landed(earlier: Sequence[Earlier], call: Call) -> Earlier | None:
    """Return what of an interrupted run has done the very same as a call would do."""
    wanted = _identity(call.to, call.data)
    for each in earlier:
        if each.transaction is not None and _identity(each.to, each.data) == wanted:
            return each
    return None


def _identity(to: Address, data: bytes) -> tuple[object, ...]:
    """Return what parts a transaction from others: of a deposit not the permit, which is another one each time."""
    decoded = abi.load("Exchange").decode_call(data)
    if decoded is not None and decoded[0] in DEPOSITS:
        return to, decoded[1]["account"], decoded[1]["amount"]
    return to, data

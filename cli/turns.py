"""One run at a time sends with a wallet, and the next one learns what an interrupted one has sent: nothing is paid
twice without being told.

Beside the journal of the key lies a note of the run that is sending. It is written before the first transaction and
removed when a run that has sent something, or has told that nothing is left to be done, has come to its end; a run that
finds one knows that another was killed, and who only looks leaves it there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec

from cli.desk import Desk
from cli.environment import Environment
from cli.failures import ExitStatus, Failure, Interrupted
from cli.outgoing import Earlier, Seen
from cli.output import note
from moorage.chain.contracts import Call
from moorage.chain.journal_rows import Row
from moorage.chain.key_lock import KeyInUse
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc
from moorage.chain.sender import NotSent, Refused, Sender, Sent
from moorage.private_file import make_directory, write_private

WAIT_SECONDS = 60.0
"""How long another run of the same wallet is waited for."""
POLL_SECONDS = 0.1
AGAIN = "run the same command again, it tells what has become of that and does nothing twice"
HASH = re.compile("0x[0-9a-f]{64}", re.IGNORECASE)


class Turn:
    """The right to send with a wallet."""

    def __init__(self, desk: Desk, sender: Sender, mark: Path) -> None:
        self.has_landed = False
        self._desk = desk
        self._sender = sender
        self._mark = mark
        self._has_marked = False

    async def send(self, call: Call) -> Sent:
        """Send what was agreed to, and return when it is in a block.

        Raises:
            NotSent: it was refused.
            NodeUnavailable: the node does not answer.
            Failure: a signer elsewhere did not sign.
        """
        outcome = await self.attempt(call)
        if isinstance(outcome, Refused):
            raise NotSent(f"{call.description}: {outcome.reason}")
        return outcome

    async def attempt(self, call: Call) -> Sent | Refused:
        """Send what was agreed to; being refused is an outcome.

        Raises:
            NotSent: it could not be sent, or is not in a block in time.
            NodeUnavailable: the node does not answer.
            Failure: a signer elsewhere did not sign.
        """
        if not self._mark.exists():  # else an earlier run's, which goes on to count until this one has ended well
            write_private(self._mark, msgspec.json.encode({"nonce": self._sender.next_nonce}))
            self._has_marked = True
        signer, outgoing, nonce = self._desk.signer, self._desk.outgoing, self._sender.next_nonce
        try:
            (outcome,) = await self._sender.send_all([call], outgoing.gas_wei)
        except NodeUnavailable:
            if signer.failure is not None and not self._sender.count_under_way:
                raise signer.failure from None
            raise
        if isinstance(outcome, Refused) and signer.failure is not None:
            raise signer.failure
        if outgoing.gas_wei is not None:
            outgoing.gas_wei -= sum(row.gas * row.fees.max_wei for row in self._sender.sent_since(nonce))
        self.has_landed = self.has_landed or isinstance(outcome, Sent)
        return outcome

    @property
    def has_begun(self) -> bool:
        """Whether something of the run is in a block, or may get there."""
        return self.has_landed or self._sender.count_under_way > 0

    def finish(self, *, is_well: bool) -> None:
        """Take note of how the run has ended: what only a part of has landed is told to whoever runs it again, and
        what nothing has come of leaves the note of an earlier run."""
        may_forget = is_well if self.has_landed else self._has_marked
        if may_forget:
            self.forget()

    def forget(self) -> None:
        """Take note that the person knows what was sent, as far as it has ended."""
        if not self._sender.count_under_way:
            self._mark.unlink(missing_ok=True)

    async def take_up(self, since: int | None = None) -> Seen:
        """See what another run has left, and wait for what of it is under way.

        Args:
            since: the first transaction of a run that was waited for; None if there was none.
        """
        earlier: tuple[Earlier, ...] = ()
        count = self._sender.count_under_way
        if count:
            wallet = self._desk.signer.address
            note(f"wallet {wallet} has sent {count} transactions that are in no block yet: waiting for them")
            await self._sender.settle()
        first = since if since is not None else _first_nonce(self._mark)
        if first is not None:
            earlier = tuple([await self._earlier(row) for row in self._sender.sent_since(first)])
        return Seen(self._sender.next_nonce, earlier)

    async def _earlier(self, row: Row) -> Earlier:
        """Return what became of a transaction that is settled."""
        found = row.inclusion
        is_wanted = found is not None and (row.void_from is None or found.transaction in row.hashes[: row.void_from])
        if found is not None and is_wanted:
            receipt = await self._desk.session.rpc.call("eth_getTransactionReceipt", found.transaction)
            if isinstance(receipt, dict) and receipt.get("status") == "0x1":
                return Earlier(row.description, row.data, row.to, found.transaction, found.block_number)
        return Earlier(row.description, row.data, row.to, None, None)


async def look(desk: Desk) -> Seen:
    """Return how the wallet is now, and tell what an interrupted run has done with it.

    Raises:
        Failure: another run is sending, and does not end.
        NodeUnavailable: the node does not answer.
    """
    async with _opened(desk) as (turn, since):
        seen = await turn.take_up(since)
    for each in seen.earlier:
        done = f"in block {each.block_number} ({each.transaction})" if each.transaction else "in vain"
        note(f"another run, which was interrupted or has just ended, has sent {each.description} {done}")
    return seen


async def forget(desk: Desk) -> None:
    """Take note that the person knows what an interrupted run has done: the next run may do it once more.

    Raises:
        Failure: another run is sending, and does not end.
        NodeUnavailable: the node does not answer.
    """
    async with _opened(desk) as (turn, _):
        turn.forget()


@asynccontextmanager
async def take_turn(desk: Desk) -> AsyncIterator[Turn]:
    """Give the right to send with a wallet that is as it was when everything was shown; a run has one turn at a time.

    Raises:
        Failure: another run is sending, or has sent since then.
        Interrupted: this run was stopped when it had begun to send.
        NodeUnavailable: the node does not answer.
    """
    outgoing = desk.outgoing
    if outgoing.turn is not None:
        yield outgoing.turn
        return
    async with _opened(desk) as (turn, _):
        await _check_unchanged(turn, desk)
        outgoing.turn, outgoing.seen = turn, None
        try:
            yield turn
        except (NotSent, Failure, click.Abort):
            turn.finish(is_well=False)
            raise
        except asyncio.CancelledError:
            if turn.has_begun:
                text = f"interrupted while wallet {desk.signer.address} was sending, it may still get there"
                raise Interrupted(f"{text}: {AGAIN}") from None
            raise
        finally:
            outgoing.turn = None
        turn.finish(is_well=True)


async def _check_unchanged(turn: Turn, desk: Desk) -> None:
    shown, now = desk.outgoing.seen, await turn.take_up()
    if shown is not None and now.next_nonce != shown.next_nonce:
        text = f"wallet {desk.signer.address} has sent something else since this was shown"
        raise Failure(ExitStatus.REFUSED, f"{text}: nothing was sent now, look at it and run this again")


@asynccontextmanager
async def _opened(desk: Desk) -> AsyncIterator[tuple[Turn, int | None]]:
    """Give a turn, and the first transaction of the run that was waited for, if one was."""
    journal = await _journal(desk)
    make_directory(journal.parent)
    sender = Sender(desk.session.rpc, desk.signer, desk.session.market.chain_id, journal=journal)
    mark = journal.with_suffix(".run")
    since = await _open(sender, desk.environment, mark)
    try:
        yield Turn(desk, sender, mark), since
    finally:
        sender.close()


async def _open(sender: Sender, environment: Environment, mark: Path) -> int | None:
    until = environment.clock() + WAIT_SECONDS
    since, has_waited = None, False
    while True:
        try:
            await sender.open()
            return since
        except KeyInUse as error:
            if environment.clock() > until:
                text = f"{_reason(error, sender)}; nothing was sent, run this again when that has ended"
                raise Failure(ExitStatus.CHAIN_UNAVAILABLE, text) from error
            if not has_waited:
                note(f"{_reason(error, sender)}: this run waits until that has ended")
        has_waited = True
        since = _first_nonce(mark) if since is None else since
        await asyncio.sleep(POLL_SECONDS)


def _reason(error: KeyInUse, sender: Sender) -> str:
    return str(error) if error.holder is None else f"process {error.holder} is sending with wallet {sender.address}"


async def _journal(desk: Desk) -> Path:
    """Return where a wallet's journal is: one for each chain, so that a development chain that is new has none."""
    genesis = await _genesis(desk.session.rpc)
    name = f"{desk.session.market.chain_id}-{genesis}-{desk.signer.address}.db"
    return desk.environment.state_directory / "moorage" / "transactions" / name


async def _genesis(rpc: Rpc) -> str:
    """Return what a chain is known by. To do without would be another journal, which knows nothing of the first."""
    try:
        block = await rpc.call("eth_getBlockByNumber", "0x0", False)
    except NodeRefused as error:
        raise NodeUnavailable(f"{rpc.name} does not tell block 0, by which the chain is known: {error}") from error
    hash_ = block.get("hash") if isinstance(block, dict) else None
    if not isinstance(hash_, str) or not HASH.fullmatch(hash_):
        raise NodeUnavailable(f"{rpc.name} does not tell block 0, by which the chain is known")
    return hash_[2:10].lower()


def _first_nonce(mark: Path) -> int | None:
    """Return the first transaction of the run that has left its note; None if there is no note."""
    try:
        return int(msgspec.json.decode(mark.read_bytes())["nonce"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError):
        return 0

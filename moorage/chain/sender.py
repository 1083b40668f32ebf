"""Sends calls one by one, or some at once, and waits until they are in blocks: for programs that do not come back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from moorage.chain.contracts import Call
from moorage.chain.index import read_block
from moorage.chain.jobs import Cause, Job, Landed, Limits, Outcome, Rejected
from moorage.chain.journal_rows import Row
from moorage.chain.outbox import Outbox
from moorage.chain.rpc import ChainError, NodeUnavailable, Rpc
from moorage.chain.signer import Allowed, LocalSigner, Signer
from moorage.types import Address

POLL_SECONDS = 0.2


class NotSent(ChainError):
    """A transaction did not take place; the message says why."""


class Undecided(NotSent):
    """A transaction is in no block in time, and may still get into one."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that is in a block and succeeded."""

    call: Call
    transaction: str
    block_number: int
    gas_used: int
    logs: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A transaction that would revert or did; nothing changed."""

    call: Call
    reason: str


class Sender:
    """An outbox with a journal in memory. Calls are simulated before they are sent."""

    def __init__(
        self,
        rpc: Rpc,
        key: LocalAccount | Signer,
        chain_id: int,
        time_limit_seconds: float = 120.0,
        replace_after_blocks: int = 3,
        allowed: Allowed | None = None,
        journal: Path | None = None,
    ) -> None:
        """
        Args:
            key: in this process; or whoever signs with one, and knows what is allowed.
            time_limit_seconds: how long a transaction may take to get into a block.
            replace_after_blocks: after how many blocks its fees are raised.
            allowed: what a key in this process may sign; None for anything.
            journal: where what is sent is written down, so that the next program knows; None for nowhere.
        """
        self._rpc = rpc
        limits = Limits(replace_after_blocks=replace_after_blocks)
        signer = LocalSigner(key, allowed) if isinstance(key, LocalAccount) else key
        self._outbox = Outbox(rpc, signer, chain_id, journal, limits=limits)
        self._is_open = False
        self._opening = asyncio.Lock()
        self._time_limit_seconds = time_limit_seconds
        self._outcomes: dict[bytes, Outcome | None] = {}
        """Of what is waited for, by its number; None is not settled."""

    @property
    def address(self) -> Address:
        return self._outbox.address

    async def open(self) -> None:
        """Become the writer of the key, where there is a journal.

        Raises:
            KeyInUse: another program is.
            JournalFault: the journal cannot be used.
            NodeUnavailable: the node does not answer.
        """
        async with self._opening:
            if not self._is_open:
                await self._outbox.open()
                self._is_open = True

    def close(self) -> None:
        """Let go of key and journal; what is under way stays under way."""
        self._outbox.close()
        self._is_open = False

    @property
    def next_nonce(self) -> int:
        """The one after all that were used, as far as the journal and the node tell."""
        return self._outbox.next_nonce

    @property
    def count_under_way(self) -> int:
        """How many transactions are in no block yet."""
        return self._outbox.count_under_way

    async def settle(self) -> None:
        """Wait for what another run has left under way, as long as for a transaction of this one.

        Raises:
            Undecided: it is still in no block.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._time_limit_seconds
        while self._outbox.count_under_way:
            with suppress(NodeUnavailable):
                await self._outbox.advance(await read_block(self._rpc))
            if self._outbox.count_under_way:
                if loop.time() > until:
                    raise Undecided(f"what {self.address} has sent before is not in a block; it may still get there")
                await asyncio.sleep(POLL_SECONDS)

    def sent_since(self, nonce: int) -> list[Row]:
        """Return what the journal knows of this nonce and later ones."""
        return self._outbox.sent_since(nonce)

    async def send(self, call: Call) -> Sent:
        """Send one transaction and wait until it is in a block.

        Raises:
            NotSent: it would revert, or did revert.
            Undecided: it is not in a block in time.
            NodeUnavailable: the node does not answer.
        """
        (outcome,) = await self.send_all([call])
        if isinstance(outcome, Refused):
            raise NotSent(f"{outcome.call.description}: {outcome.reason}")
        return outcome

    async def send_all(self, calls: Sequence[Call], most_wei: int | None = None) -> list[Sent | Refused]:
        """Send independent transactions at once and wait until all are in blocks.

        Whatever goes wrong with one, those that were sent are waited for; the first fault is raised then.

        Args:
            calls: what is sent.
            most_wei: what the gas of each may cost, however fees rise; None for no such limit.

        Raises:
            NotSent: one could not be sent.
            Undecided: one is not in a block in time.
            NodeUnavailable: the node does not answer.
        """
        if not calls:
            return []
        await self.open()
        jobs = [self._job(call, most_wei) for call in calls]
        numbers = [job.items[0] for job in jobs]
        self._outcomes |= dict.fromkeys(numbers)
        try:
            self._settle(await self._outbox.submit(jobs))
            await self._wait(numbers)
            return [self._result(call, number) for call, number in zip(calls, numbers, strict=True)]
        finally:
            for number in numbers:
                del self._outcomes[number]

    def _job(self, call: Call, most_wei: int | None) -> Job:
        number = secrets.token_bytes(8)  # never the one of another run, which the journal may know
        worth = None if most_wei is None else (most_wei,)
        return Job(call.description.partition(" ")[0], (number,), lambda _: call, worth_wei=worth)

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.items and outcome.items[0] in self._outcomes:  # else nobody waits for it any more
                self._outcomes[outcome.items[0]] = outcome

    async def _wait(self, numbers: Sequence[bytes]) -> None:
        """Wait for outcomes. A node that does not answer meanwhile has said nothing about the transactions."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._time_limit_seconds
        while any(self._outcomes[number] is None for number in numbers) and loop.time() < until:
            with suppress(NodeUnavailable):
                self._settle(await self._outbox.advance(await read_block(self._rpc)))
            if any(self._outcomes[number] is None for number in numbers):
                await asyncio.sleep(POLL_SECONDS)

    def _result(self, call: Call, number: bytes) -> Sent | Refused:
        outcome = self._outcomes[number]
        match outcome:
            case Landed():
                return Sent(call, outcome.transaction, outcome.block_number, outcome.gas_used, outcome.logs)
            case Rejected(cause=Cause.NO_COIN):
                raise NotSent(f"{self.address} has too little of the chain's coin to pay for gas")
            case Rejected(cause=Cause.NO_ANSWER, reason=reason):
                raise NodeUnavailable(reason)
            case Rejected(cause=Cause.NODE_REFUSED | Cause.TOO_DEAR | Cause.SPENDING_CAP, reason=reason):
                raise NotSent(f"{call.description}: {reason}")
            case Rejected(reason=reason):
                return Refused(call, reason)
            case None:
                raise Undecided(
                    f"{call.description}: not in a block after {self._time_limit_seconds:.0f} s (transaction "
                    f"{self._outbox.newest_hash(call.description.partition(' ')[0], number)}); it may still get there"
                )

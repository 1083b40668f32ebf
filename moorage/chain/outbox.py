"""The one writer of a key: brings what has to take place onto the chain, once, whatever nodes and crashes do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from moorage.chain.budget import Budget
from moorage.chain.delivery import Delivery
from moorage.chain.fees import Quote, read_quote
from moorage.chain.inclusions import Inclusions
from moorage.chain.jobs import Cause, Job, Landed, Limits, NobodyObserves, Observer, Outcome, Rejected
from moorage.chain.journal import Journal, JournalFault
from moorage.chain.journal_rows import Row
from moorage.chain.key_lock import KeyInUse, KeyLock
from moorage.chain.nonces import Nonces
from moorage.chain.preparation import prepare
from moorage.chain.receipts import look
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.chain.signer import Signer
from moorage.chain.simulation import Part, Ready, simulate
from moorage.crash import crash_point
from moorage.snapshot import Block
from moorage.types import Address

SECONDS_PER_DAY = 86_400
PART = 200
"""Of a burst: so many transactions are offered to the node while the next are signed."""
URGENT_GAS = 200_000
"""What a transaction of priority 0 is thought to need before there was one."""

log = structlog.get_logger(__name__)


class Outbox:
    """Use as an async context manager, or call `open` and `close`."""

    def __init__(
        self,
        rpc: Rpc,
        signer: Signer,
        chain_id: int,
        journal_path: Path | None = None,
        limits: Limits | None = None,
        observer: Observer | None = None,
    ) -> None:
        """
        Args:
            rpc: the node, or several.
            signer: the key.
            chain_id: of the node.
            journal_path: where what is sent is written down first; None for a program that does not come back.
            limits: what is kept to.
            observer: counts what happens.
        """
        self._rpc = rpc
        self._signer = signer
        self._chain_id = chain_id
        self._path = journal_path
        self._limits = limits or Limits()
        self._observer = observer or NobodyObserves()
        self._turn = asyncio.Lock()  # whoever sends or looks does it alone
        self._key_lock: KeyLock | None = None
        self._journal: Journal | None = None
        self._urgent_gas = URGENT_GAS
        self._untold: list[Outcome] = []
        """What was settled before a look failed."""

    @property
    def address(self) -> Address:
        return self._signer.address

    async def __aenter__(self) -> Outbox:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def open(self) -> None:
        """Become the writer of the key.

        Raises:
            KeyInUse: another program is; the message says what to do.
            JournalFault: the journal cannot be used.
            NodeUnavailable: the node does not answer.
        """
        if self._path is not None:
            self._key_lock = KeyLock(self._path.with_name(f"{self._path.name}.lock"))
        try:
            self._journal = Journal(self._path, self._chain_id, self.address)
            self._nonces = Nonces(self._journal, lambda: int(time.time()) // SECONDS_PER_DAY)
            self._delivery = Delivery(
                self._rpc, self._signer, self._chain_id, self._nonces, self._limits, self._observer, self._read_budget
            )
            self._inclusions = Inclusions(self._rpc, self.address, self._nonces, self._limits, self._observer)
            await self._check_alone()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of journal and key; what is under way stays under way."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._key_lock is not None:
            self._key_lock.release()
            self._key_lock = None

    def is_under_way(self, kind: str, item: bytes) -> bool:
        """Return whether a transaction acts on something and is in no block yet."""
        return self._nonces.is_under_way(kind, item)

    @property
    def count_under_way(self) -> int:
        """How many transactions are in no block yet."""
        return len(self._nonces.open())

    @property
    def next_nonce(self) -> int:
        """The one after all that were used, as far as is known."""
        return self._nonces.next

    def sent_since(self, nonce: int) -> list[Row]:
        """Return what the journal knows of this nonce and later ones, final ones too."""
        return self._journal.since(nonce) if self._journal is not None else []

    def newest_hash(self, kind: str, item: bytes) -> str | None:
        """Return the hash of what is under way and acts on something."""
        rows = [row for row in self._nonces.open() if row.kind == kind and item in row.items]
        return rows[-1].hashes[-1] if rows else None

    async def submit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Send what is not under way, the most urgent first, and return at once what cannot be sent.

        Raises:
            NodeUnavailable: the node does not answer; nothing was sent.
            JournalFault: the journal cannot be written; nothing was sent that is not in it.
        """
        async with self._turn:
            parts = list(self._fresh(jobs))
            if not parts:
                return []
            quote, balance, _ = await asyncio.gather(read_quote(self._rpc), self._balance(), self._follow_others())
            budget = self._budget(quote, balance)
            ready, rejected = await simulate(self._rpc, self.address, parts, self._limits, quote.gas_limit)
            crash_point("outbox-simulated")
            urgent = [each.gas for each in ready if each.part.job.priority == 0]
            self._urgent_gas = max([self._urgent_gas, *urgent])
            refused = await self._send(ready, quote, budget)
            return self._counted([*rejected, *refused])

    async def _send(self, ready: Sequence[Ready], quote: Quote, budget: Budget) -> list[Rejected]:
        """Sign, write down, and offer to the node, a part of a burst after the other; the next is signed meanwhile."""
        refused: list[Rejected] = []
        written: list[Row] = []
        answers: list[Any] = []
        offering: asyncio.Task[list[Any]] | None = None
        try:
            for start in range(0, len(ready), PART):
                part = ready[start : start + PART]
                rows, unsigned = await prepare(part, quote, budget, self._signer, self._chain_id, self._nonces.next)
                crash_point("outbox-signed")
                self._nonces.record(rows)
                crash_point("outbox-journaled")
                for row in rows:
                    self._observer.submitted(row.kind)
                refused += unsigned
                answers += await offering if offering else []
                offering = asyncio.create_task(self._delivery.offer(rows))
                written += rows
            answers += await offering if offering else []
        finally:
            if offering is not None:
                offering.cancel()  # what is written down is sent again
        refused += self._delivery.note_first(written, answers, quote.block_number)
        crash_point("outbox-sent")
        return refused

    async def advance(self, head: Block) -> list[Outcome]:
        """See what became of everything, and see to it that it gets into blocks.

        Args:
            head: the newest block that is decided from; what is in later ones is told later.

        Returns:
            What was settled since the last time. After a reorganisation something may be told again.

        Raises:
            NodeUnavailable: the node does not answer.
            JournalFault: the journal cannot be written; nothing was sent.
        """
        async with self._turn:
            mined = self._nonces.mined()
            if mined or self._nonces.open():
                sight = await look(self._rpc, self.address, mined)
                self._inclusions.take_back(mined, sight, head)
                self._untold += self._counted(await self._inclusions.include(sight, head))
                self._inclusions.finish(mined, sight, head)
                self._untold += self._counted(await self._delivery.push(sight, head))
            outcomes, self._untold = self._untold, []
            return outcomes

    async def look_at_coin(self) -> None:
        """Tell the observer what the key has; nothing if the node does not say."""
        await self._balance()

    async def _check_alone(self) -> None:
        """Refuse if somebody else sends with the key, or the chain is not the one of the journal."""
        sight = await look(self._rpc, self.address, ())
        others = [nonce for nonce in range(sight.mined, sight.known) if nonce not in self._nonces]
        if self._path is not None and others:
            raise KeyInUse(
                f"{self.address} has {len(others)} transactions in the pool that are not in {self._path}: another "
                "program sends with this key, or its journal was removed. End it, or wait until they are in blocks"
            )
        assert self._journal is not None
        final = self._journal.final_nonce() + 1
        if sight.mined < final:
            raise JournalFault(
                f"{self._path}: the node counts {sight.mined} transactions of {self.address} where {final} are final: "
                "it is behind, wait for it; or the chain was started anew, then remove the journal"
            )
        self._nonces.follow(sight.known)

    async def _follow_others(self) -> None:
        """Queue behind what somebody else has sent with this key, and say so."""
        sight = await look(self._rpc, self.address, ())
        others = self._nonces.follow(sight.known)
        if others and self._path is not None:
            log.error("another program sends with this key", address=self.address, transactions=others)

    def _fresh(self, jobs: Sequence[Job]) -> Iterator[Part]:
        """Yield the items of each job that nothing acts on."""
        taken: set[tuple[str, bytes]] = set()
        for job in jobs:
            positions = []
            for position, item in enumerate(job.items):
                if (job.kind, item) not in taken and not self.is_under_way(job.kind, item):
                    taken.add((job.kind, item))
                    positions.append(position)
            if positions or not job.items:
                yield Part(job, tuple(positions))

    async def _balance(self) -> int | None:
        """Return what the key has, or None: whoever has too little is told when it is sent."""
        try:
            balance = as_number(await self._rpc.call("eth_getBalance", self.address, "latest"))
        except (NodeUnavailable, NodeRefused):
            return None
        self._observer.balance(balance)
        return balance

    def _budget(self, quote: Quote, balance: int | None) -> Budget:
        limits, nonces = self._limits, self._nonces
        coin = None if balance is None else balance - nonces.committed_wei()
        today = None if limits.daily_wei is None else limits.daily_wei - nonces.spent_today_wei()
        reserve = limits.reserve_transactions * self._urgent_gas * quote.fees.max_wei
        return Budget(coin, today, reserve, limits.fee_cap_wei)

    async def _read_budget(self, quote: Quote) -> Budget:
        return self._budget(quote, await self._balance())

    def _counted(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            match outcome:
                case Landed(kind=kind):
                    self._observer.landed(kind)
                case Rejected(kind=kind, cause=cause):
                    self._observer.rejected(kind, cause)
                    if cause in (Cause.NO_COIN, Cause.SPENDING_CAP, Cause.TOO_DEAR):
                        items = [item.hex() for item in outcome.items]
                        log.warning("not sent", kind=kind, cause=cause, reason=outcome.reason, items=items)
        return list(outcomes)

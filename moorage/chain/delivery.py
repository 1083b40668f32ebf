"""Gets signed transactions to nodes: sends again what they lack, raises fees of what is stuck, fills gaps of nonces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from moorage.chain.answers import each_answer
from moorage.chain.budget import Budget, most_wei
from moorage.chain.fees import Quote, affordable, raised, read_quote
from moorage.chain.jobs import Cause, Limits, Observer, Rejected
from moorage.chain.journal_rows import Row, State
from moorage.chain.nonces import Nonces
from moorage.chain.receipts import Sight
from moorage.chain.refusals import PoolAnswer, pool_answer
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.chain.signer import Signer
from moorage.chain.transactions import Fees, Transaction
from moorage.crash import crash_point
from moorage.snapshot import Block

FILL = "fill"
"""The kind of what does nothing but use a nonce up."""
FILL_GAS = 21_000

log = structlog.get_logger(__name__)


class Delivery:
    """Brings the open rows of a key to its nodes."""

    def __init__(
        self,
        rpc: Rpc,
        signer: Signer,
        chain_id: int,
        nonces: Nonces,
        limits: Limits,
        observer: Observer,
        read_budget: Callable[[Quote], Awaitable[Budget]],
    ) -> None:
        self._rpc = rpc
        self._signer = signer
        self._chain_id = chain_id
        self._nonces = nonces
        self._limits = limits
        self._observer = observer
        self._read_budget = read_budget
        self._gaps_since: dict[int, int] = {}
        self._warned: dict[int, tuple[str, ...]] = {}
        """What was said to be at risk, by nonce: once for each of its transactions."""

    async def offer(self, rows: Sequence[Row]) -> list[Any]:
        """Send the newest of each row, and return what nodes say of each."""
        answers: list[Any] = await each_answer(self._rpc, [("eth_sendRawTransaction", (row.raw,)) for row in rows])
        return answers

    def note_first(self, rows: Sequence[Row], answers: Sequence[Any], block_number: int) -> list[Rejected]:
        """Take note of what became of what was never sent before; give up what a node will never take."""
        refused = [each for each in self._note(rows, answers, block_number) if _is_for_good(each[1])]
        unaccepted = {row.nonce for row, error in refused if not error.is_doubtful}
        self._nonces.record((_voided(row) for row, _ in refused), unaccepted)
        return [_rejected(row, error) for row, error in refused]

    async def push(self, sight: Sight, head: Block) -> list[Rejected]:
        """Send again what the node lacks, with higher fees what is stuck, and something else for what was given up.

        Returns:
            What is given up now: the node lacks it and does not take it, and all later ones would wait for it.
        """
        waiting = [row for row in self._nonces.open() if row.nonce >= sight.mined]
        gaps = self._gaps(waiting, sight, head)
        missing = [row for row in waiting if row.state is State.PREPARED or row.nonce >= sight.known]
        stuck = {row.nonce for row in waiting if head.number - row.last_block >= self._limits.replace_after_blocks}
        void = [row for row in waiting if row.state is State.VOID]
        if not (missing or stuck or gaps or void):
            return []
        quote = await read_quote(self._rpc)
        replaced = await self._replacements(waiting, missing, stuck, sight, quote, head)
        replaced += [row for nonce in gaps if (row := await self._filler(nonce, quote, head)) is not None]
        self._nonces.record(replaced)
        crash_point("outbox-replaced")
        newest = {row.nonce: row for row in replaced}
        again = [row for row in missing if row.nonce not in newest and row.state is not State.VOID]
        if again:
            log.info("sent again", transactions=len(again), first_nonce=again[0].nonce, last_nonce=again[-1].nonce)
        sending = [*again, *replaced]
        refused = self._note(sending, await self.offer(sending), head.number)
        for row, error in refused:
            log.warning("node refuses a transaction", transaction=row.description, reason=error.message)
        hopeless = [
            (row, error)
            for row, error in refused
            if row.nonce >= sight.known and row.void_from is None and _is_for_good(error)
        ]
        self._nonces.record(_voided(row) for row, _ in hopeless)
        return [_rejected(row, error) for row, error in hopeless]

    async def _replacements(
        self,
        waiting: Sequence[Row],
        missing: Sequence[Row],
        stuck: set[int],
        sight: Sight,
        quote: Quote,
        head: Block,
    ) -> list[Row]:
        """Sign anew what has too low fees to get in, as far as they may be raised."""
        lacking = {row.nonce for row in missing}
        replaced: list[Row] = []
        budget: Budget | None = None
        for row in waiting:
            is_hopeless = row.nonce in lacking and row.fees.max_wei < quote.base_wei
            is_due = row.nonce in stuck and (row.nonce == sight.mined or _is_low(row.fees, quote))
            if not (row.state is State.VOID or is_hopeless or is_due):
                continue
            budget = budget or await self._read_budget(quote)
            newer = await self._replacement(row, quote, budget, head, is_lacking=row.nonce in lacking)
            if newer is not None:
                replaced.append(newer)
        return replaced

    async def _replacement(
        self, row: Row, quote: Quote, budget: Budget, head: Block, *, is_lacking: bool
    ) -> Row | None:
        content = row if row.state is not State.VOID else await self._emptied(row)
        most = most_wei(content.worth_wei, row.gas, self._limits.fee_cap_wei)
        fees = raised(row.fees, quote, most, self._limits.fee_multiple)
        if fees is None and is_lacking and row.state is State.VOID:
            fees = affordable(quote, most)  # nothing is replaced
        fits = fees is not None and budget.take(content.gas * fees.max_wei - row.most_wei) is None
        if fees is None or not fits:
            self._warn_of(row, quote)
            return None
        newer = await self._signed(replace(content, fees=fees, state=State.PREPARED, last_block=head.number))
        if newer is not None:
            self._observer.replaced(row.kind)
            log.info("fees raised", transaction=row.description, nonce=row.nonce, max_wei=fees.max_wei)
        return newer

    def _warn_of(self, row: Row, quote: Quote) -> None:
        if self._warned.get(row.nonce) == row.hashes:
            return
        self._warned = {nonce: hashes for nonce, hashes in self._warned.items() if nonce in self._nonces}
        self._warned[row.nonce] = row.hashes
        self._observer.held(row.kind)
        log.warning(
            "transaction at risk: its fees may not be raised any more",
            transaction=row.description,
            nonce=row.nonce,
            items=[item.hex() for item in row.items],
            max_wei=row.fees.max_wei,
            asked_wei=quote.need_wei,
        )

    async def _emptied(self, row: Row) -> Row:
        """Return a row whose next transaction does nothing."""
        gas = await self._fill_gas()
        return replace(row, to=self._signer.address, data=b"", gas=gas, worth_wei=None)

    async def _filler(self, nonce: int, quote: Quote, head: Block) -> Row | None:
        fees = affordable(quote, self._limits.fee_cap_wei)
        if fees is None:
            return None
        log.warning("gap before what was sent: filling it", nonce=nonce)
        row = Row(
            nonce=nonce,
            state=State.PREPARED,
            kind=FILL,
            items=(),
            description=f"{FILL} {nonce}",
            to=self._signer.address,
            data=b"",
            gas=await self._fill_gas(),
            fees=fees,
            worth_wei=None,
            hashes=(),
            void_from=0,
            raw="",
            first_block=head.number,
            last_block=head.number,
        )
        return await self._signed(row)

    async def _fill_gas(self) -> int:
        address = self._signer.address
        try:
            estimate = await self._rpc.call("eth_estimateGas", {"from": address, "to": address, "data": "0x"}, "latest")
            return max(FILL_GAS, as_number(estimate))
        except (NodeRefused, NodeUnavailable):
            return FILL_GAS

    async def _signed(self, row: Row) -> Row | None:
        """Return the row with what its fields say signed, or None if the signer does not."""
        transaction = Transaction(self._chain_id, row.nonce, row.to, row.data, row.gas, row.fees)
        try:
            signed = await self._signer.sign(transaction)
        except ChainError as error:
            log.warning("not signed", transaction=row.description, reason=str(error))
            return None
        return replace(row, hashes=(*row.hashes, signed.hash), raw=signed.raw)

    def _note(self, rows: Sequence[Row], answers: Sequence[Any], block_number: int) -> list[tuple[Row, NodeRefused]]:
        """Take note of what nodes have, and return what they refuse.

        What stays unanswered stays as it is, and is sent again the next time.
        """
        refused: list[tuple[Row, NodeRefused]] = []
        sent: list[Row] = []
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, NodeRefused) and pool_answer(answer) is not PoolAnswer.KNOWN:
                refused.append((row, answer))
            elif not isinstance(answer, NodeUnavailable) and row.state is State.PREPARED:
                sent.append(replace(row, state=State.SENT, last_block=block_number))
        self._nonces.record(sent)
        return refused

    def _gaps(self, waiting: Sequence[Row], sight: Sight, head: Block) -> list[int]:
        """Return nonces before ours that nobody uses: another program's transaction is gone, and all of ours wait."""
        last = waiting[-1].nonce if waiting else 0
        gaps = [nonce for nonce in range(sight.known, last) if nonce not in self._nonces]
        self._gaps_since = {nonce: self._gaps_since.get(nonce, head.number) for nonce in gaps}
        wait = self._limits.replace_after_blocks
        return [nonce for nonce, since in self._gaps_since.items() if head.number - since >= wait]


def _is_for_good(error: NodeRefused) -> bool:
    return pool_answer(error) in (PoolAnswer.NO_COIN, PoolAnswer.NEVER)


def _voided(row: Row) -> Row:
    return replace(row, state=State.VOID, void_from=len(row.hashes))


def _rejected(row: Row, error: NodeRefused) -> Rejected:
    cause = Cause.NO_COIN if pool_answer(error) is PoolAnswer.NO_COIN else Cause.NODE_REFUSED
    return Rejected(row.kind, row.items, f"the node refuses it: {error.message}", cause)


def _is_low(fees: Fees, quote: Quote) -> bool:
    return fees.max_wei < quote.need_wei or (fees.tip_wei or 0) < (quote.fees.tip_wei or 0)

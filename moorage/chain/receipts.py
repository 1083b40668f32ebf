"""What became of transactions: which are in blocks, whether those blocks still count, and why some reverted there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moorage.chain.answers import each_answer
from moorage.chain.jobs import Cause, Landed, Outcome, Rejected
from moorage.chain.journal_rows import Inclusion, Row
from moorage.chain.refusals import FASTER, reason_of
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.types import Address

REASON_UNKNOWN = "the node does not say why"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a node says of a key's transactions as a whole."""

    mined: int
    """How many are in blocks."""
    known: int
    """How many there are if those that the pool has without a gap are counted too; at least `mined`."""
    final_block: int
    """-1 if the node does not say."""
    undone: frozenset[int]
    """Nonces of what is no longer in its block."""
    confirmed: frozenset[int]
    """Nonces of what is."""


@dataclass(frozen=True, slots=True)
class Found:
    """A transaction in a block."""

    row: Row
    inclusion: Inclusion
    receipt: dict[str, Any]

    @property
    def is_wanted(self) -> bool:
        """Whether it is what was asked for, not what uses up the nonce of something that was given up."""
        return self.row.void_from is None or self.inclusion.transaction in self.row.hashes[: self.row.void_from]


async def look(rpc: Rpc, sender: Address, mined: Sequence[Row]) -> Sight:
    """Ask how far a key's transactions are. Nodes that lack a pending state or final blocks are known.

    Raises:
        NodeUnavailable: no usable answer.
    """
    heights = sorted({row.inclusion.block_number for row in mined if row.inclusion})
    counts = [("eth_getTransactionCount", (sender, tag)) for tag in ("latest", "pending")]
    blocks = [("eth_getBlockByNumber", (tag, False)) for tag in ("finalized", *map(hex, heights))]
    latest, pending, final, *answers = await each_answer(rpc, [*counts, *blocks])
    if isinstance(latest, ChainError):
        raise NodeUnavailable(f"the transactions of {sender} could not be counted: {latest}") from latest
    count = as_number(latest)
    hashes = {height: _block_hash(answer) for height, answer in zip(heights, answers, strict=True)}
    # without an answer nothing is concluded
    known = {
        row.nonce: hashes[row.inclusion.block_number] == row.inclusion.block_hash
        for row in mined
        if row.inclusion is not None and hashes[row.inclusion.block_number] is not None
    }
    return Sight(
        mined=count,
        known=count if isinstance(pending, ChainError) else max(count, as_number(pending)),
        final_block=as_number(final["number"]) if isinstance(final, dict) and "number" in final else -1,
        undone=frozenset(nonce for nonce, is_there in known.items() if not is_there),
        confirmed=frozenset(nonce for nonce, is_there in known.items() if is_there),
    )


async def find_included(rpc: Rpc, rows: Sequence[Row], newest_block: int) -> tuple[list[Found], list[int]]:
    """Return what is in blocks up to a height, and the nonces of which the node says for sure that none of ours is.

    Args:
        rpc: the node.
        rows: of which any hash may be in a block.
        newest_block: what is decided from; what came after it is left for the next time.
    """
    calls = [("eth_getTransactionReceipt", (each,)) for row in rows for each in row.hashes]
    answers = iter(await each_answer(rpc, calls))
    found: list[Found] = []
    absent: list[int] = []
    for row in rows:
        receipts = [next(answers) for _ in row.hashes]
        included = [each for each in map(_parse, receipts) if each is not None]
        if included:
            found += [Found(row, _inclusion(row, each), each) for each in included if _number(each) <= newest_block][:1]
        elif all(receipt is None for receipt in receipts):
            absent.append(row.nonce)
    return found, absent


async def outcomes_of(rpc: Rpc, sender: Address, found: Sequence[Found]) -> list[tuple[Found, Outcome | None]]:
    """Return what each transaction has brought about, None for one that was given up.

    Those of which the node does not answer why they reverted are left out: they are asked about again.
    """
    failed = [each for each in found if as_number(each.receipt.get("status")) != 1]
    calls = [("eth_call", (_message(sender, each.row), hex(each.inclusion.block_number))) for each in failed]
    answers = dict(zip((each.row.nonce for each in failed), await each_answer(rpc, calls), strict=True))
    return [
        (each, _outcome(each, answers.get(each.row.nonce)) if each.is_wanted else None)
        for each in found
        if not isinstance(answers.get(each.row.nonce), NodeUnavailable)
    ]


def _outcome(found: Found, answer: Any) -> Outcome:
    return _landed(found) if as_number(found.receipt.get("status")) == 1 else _rejected(found, answer)


def _landed(found: Found) -> Landed:
    row, receipt = found.row, found.receipt
    where = found.inclusion.transaction, found.inclusion.block_number
    return Landed(row.kind, row.items, *where, as_number(receipt.get("gasUsed")), tuple(receipt.get("logs") or ()))


def _rejected(found: Found, answer: Any) -> Rejected:
    """Return why a transaction reverted, by what the same call meets at the end of its block."""
    row = found.row
    if as_number(found.receipt.get("gasUsed")) >= row.gas:
        reason, cause = f"all of {row.gas} gas was used up", Cause.BUG
    elif isinstance(answer, NodeRefused):
        is_revert = answer.data is not None or "revert" in answer.message.lower()
        reason, cause = reason_of(answer) if is_revert else (REASON_UNKNOWN, Cause.INVALID)
    else:
        reason, cause = FASTER, Cause.LOST_RACE
    return Rejected(row.kind, row.items, f"reverted in block {found.inclusion.block_number}: {reason}", cause)


def _message(sender: Address, row: Row) -> dict[str, str]:
    return {"from": sender, "to": row.to, "data": f"0x{row.data.hex()}"}


def _block_hash(answer: Any) -> str | None:
    found = answer.get("hash") if isinstance(answer, dict) else None
    return found if isinstance(found, str) else None


def _parse(answer: Any) -> dict[str, Any] | None:
    """Return a receipt; None for nonsense, which is asked for again and concerns no other transaction."""
    if not isinstance(answer, dict) or not isinstance(answer.get("blockHash"), str):
        return None
    try:
        for name in ("blockNumber", "status", "gasUsed"):
            as_number(answer.get(name))
        for name in ("effectiveGasPrice", "l1Fee"):
            as_number(answer.get(name) or "0x0")
    except NodeUnavailable:
        return None
    return answer


def _number(receipt: dict[str, Any]) -> int:
    return as_number(receipt.get("blockNumber"))


def _inclusion(row: Row, receipt: dict[str, Any]) -> Inclusion:
    price = receipt.get("effectiveGasPrice")
    per_gas = row.fees.max_wei if price is None else as_number(price)
    # a chain above another one charges for its data there too
    data_fee = as_number(receipt.get("l1Fee") or "0x0")
    cost = as_number(receipt.get("gasUsed")) * per_gas + data_fee
    return Inclusion(str(receipt.get("transactionHash")), _number(receipt), receipt["blockHash"], cost)

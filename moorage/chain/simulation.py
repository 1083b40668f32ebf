"""Tries jobs before they are sent: what each needs of gas, and why it would fail. Batches are split until they fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from eth_abi.exceptions import EncodingError

from moorage.chain.answers import each_answer
from moorage.chain.contracts import Call
from moorage.chain.jobs import Cause, Job, Limits, Rejected
from moorage.chain.refusals import has_reason, is_no_coin, reason_of
from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.types import Address

MOST_GAS = 2**24
"""Of one transaction (EIP-7825)."""
BURST = 50
"""From so many calls on they are tried in one request each PIECE, where nodes know how."""
PIECE = 500
_NOT_ENCODABLE = (EncodingError, ValueError, TypeError, ArithmeticError, LookupError)
_NO_PENDING = ("pending", "block tag", "block number", "unknown block", "invalid block")
"""What nodes say that have no pending state."""


@dataclass(frozen=True, slots=True)
class Part:
    """A job, or some of the items of one."""

    job: Job
    positions: tuple[int, ...]

    @property
    def items(self) -> tuple[bytes, ...]:
        return tuple(self.job.items[position] for position in self.positions)

    @property
    def worth_wei(self) -> int | None:
        """What the gas may cost, by the items that are in it."""
        worth = self.job.worth_wei
        return None if worth is None else sum(worth[position] for position in self.positions)

    def rejected(self, reason: str, cause: Cause) -> Rejected:
        return Rejected(self.job.kind, self.items, reason, cause)

    def halves(self) -> tuple[Part, Part]:
        middle = len(self.positions) // 2
        return Part(self.job, self.positions[:middle]), Part(self.job, self.positions[middle:])


@dataclass(frozen=True, slots=True)
class Ready:
    """What would succeed now."""

    part: Part
    call: Call
    gas: int
    """With the margin."""


def message(sender: Address, call: Call) -> dict[str, str]:
    """Return the JSON-RPC form of a call."""
    return {"from": sender, "to": call.to, "data": f"0x{call.data.hex()}"}


async def simulate(
    rpc: Rpc, sender: Address, parts: Iterable[Part], limits: Limits, block_gas_limit: int
) -> tuple[list[Ready], list[Rejected]]:
    """Try everything on top of what is waiting in the pool, the most urgent first.

    Raises:
        NodeUnavailable: the node says nothing about any of it.
    """
    hard_limit = min(MOST_GAS, block_gas_limit)
    soft_limit = min(limits.gas_per_transaction, hard_limit)
    ready: list[Ready] = []
    rejected: list[Rejected] = []
    todo = sorted(parts, key=lambda part: part.job.priority)
    while todo:
        halves: list[Part] = []
        todo, calls = _made(todo, halves, rejected)
        for part, call, answer in zip(todo, calls, await _estimates(rpc, sender, calls), strict=True):
            gas = _gas(answer)
            wanted = None if gas is None else gas * (100 + limits.gas_margin_percent) // 100
            if len(part.positions) > 1 and (_is_unclear(answer) if wanted is None else wanted > soft_limit):
                halves += part.halves()
            elif wanted is None:
                rejected.append(_refused(part, answer))
            elif gas is not None and gas > hard_limit:
                rejected.append(part.rejected(f"needs {gas} gas, {hard_limit} are possible", Cause.INVALID))
            else:
                ready.append(Ready(part, call, min(wanted, hard_limit)))
        todo = halves
    ready.sort(key=lambda each: each.part.job.priority)
    _check_answered(ready, rejected)
    return ready, rejected


def _made(parts: Sequence[Part], halves: list[Part], rejected: list[Rejected]) -> tuple[list[Part], list[Call]]:
    """Return the parts of which calls can be made, and those calls; add to the other two what can't be encoded."""
    made: list[Part] = []
    calls: list[Call] = []
    for part in parts:
        try:
            calls.append(part.job.make(part.positions))
            made.append(part)
        except _NOT_ENCODABLE as error:
            if len(part.positions) > 1:
                halves += part.halves()
            else:
                rejected.append(part.rejected(f"not encodable: {type(error).__name__}", Cause.BUG))
    return made, calls


class _Tried(msgspec.Struct, rename="camel"):
    """What eth_simulateV1 says of one call."""

    status: str = "0x0"
    gas_used: str = "0x0"


class _TriedBlock(msgspec.Struct):
    calls: list[_Tried]


async def _estimates(rpc: Rpc, sender: Address, calls: Sequence[Call]) -> list[Any | ChainError]:
    found = await _burst(rpc, sender, calls) if len(calls) >= BURST else [None] * len(calls)
    alone = [index for index, gas in enumerate(found) if gas is None]
    answers: list[Any | ChainError] = list(found)
    for index, answer in zip(alone, await _each_estimate(rpc, sender, [calls[at] for at in alone]), strict=True):
        answers[index] = answer
    return answers


async def _burst(rpc: Rpc, sender: Address, calls: Sequence[Call]) -> list[str | None]:
    """Return what each of many calls needs if they are made one after the other, as they will be (eth_simulateV1).

    None is one that fails so, or of which the node does not say it: it has to be tried alone. What is given back at
    the end of a transaction, a fifth at most (EIP-3529), is needed before.
    """
    found: list[str | None] = []
    for start in range(0, len(calls), PIECE):
        piece = [message(sender, call) for call in calls[start : start + PIECE]]
        try:
            blocks = await rpc.call(
                "eth_simulateV1", {"blockStateCalls": [{"calls": piece}]}, "pending", kind=list[_TriedBlock]
            )
        except ChainError:
            break  # it does not know the method, or all of that is too much for it
        tried = blocks[0].calls if blocks else []
        if len(tried) != len(piece):
            break
        found += map(_tried_gas, tried)
    return found + [None] * (len(calls) - len(found))


def _tried_gas(tried: _Tried) -> str | None:
    try:
        return hex(-(-as_number(tried.gas_used) * 5 // 4)) if as_number(tried.status) == 1 else None
    except NodeUnavailable:  # nonsense
        return None


async def _each_estimate(rpc: Rpc, sender: Address, calls: Sequence[Call]) -> list[Any | ChainError]:
    answers = await _estimates_at(rpc, sender, calls, "pending")
    lacking = [index for index, answer in enumerate(answers) if _is_without_pending(answer)]
    if lacking:
        again = await _estimates_at(rpc, sender, [calls[index] for index in lacking], "latest")
        for index, answer in zip(lacking, again, strict=True):
            answers[index] = answer
    return answers


async def _estimates_at(rpc: Rpc, sender: Address, calls: Sequence[Call], tag: str) -> list[Any | ChainError]:
    return await each_answer(rpc, [("eth_estimateGas", (message(sender, call), tag)) for call in calls])


def _is_without_pending(answer: Any) -> bool:
    if not isinstance(answer, NodeRefused) or answer.data is not None:
        return False
    return any(words in answer.message.lower() for words in _NO_PENDING)


def _gas(answer: Any) -> int | None:
    try:
        return None if isinstance(answer, ChainError) else as_number(answer)
    except NodeUnavailable:
        return None


def _is_unclear(answer: Any) -> bool:
    """Return whether one odd entry of a batch, or its size, may be why it is refused: parts of it may succeed."""
    return isinstance(answer, NodeRefused) and not has_reason(answer) and not is_no_coin(answer)


def _refused(part: Part, answer: Any) -> Rejected:
    if isinstance(answer, NodeRefused):
        return part.rejected(*reason_of(answer))
    return part.rejected(str(answer) if isinstance(answer, ChainError) else "no number of gas", Cause.NO_ANSWER)


def _check_answered(ready: Sequence[Ready], rejected: Sequence[Rejected]) -> None:
    if not ready and rejected and all(each.cause is Cause.NO_ANSWER for each in rejected):
        raise NodeUnavailable(rejected[0].reason)

"""The gas below which no contract could do the same: what the chain itself asks for the transaction's effects.

Prices of the Prague fork: EIP-2028 (calldata), EIP-2929 (cold access), EIP-2200 and EIP-3529 (storage and refunds).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.benchmarks.gas_chain import Receipt
from tests.benchmarks.gas_needs import NEEDS
from tests.benchmarks.gas_trace import Effect, Slot, Trace

TRANSACTION = 21_000
ZERO_BYTE, NONZERO_BYTE = 4, 16
WORD = {Effect.READ: 2_100, Effect.NEW: 22_100, Effect.UPDATED: 5_000, Effect.CLEARED: 5_000}
CLEARED_REFUND = 4_800
LARGEST_REFUND = 5  # the fifth part of the gas
OTHER_CONTRACT = 2_600
LOG, LOG_TOPIC, LOG_BYTE = 375, 375, 8
SIGNATURE = 3_000  # ecrecover


class Unexplained(Exception):
    """A transaction touches what no rule needs, or a listed need is not touched."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A transaction that was measured."""

    operation: str
    transaction: str
    """Whose needs it has: the operation itself, or the one that it is a variant of."""
    receipt: Receipt
    leases: int = 1
    """Over how many its cost is spread."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What a transaction must cost, part by part."""

    intrinsic: int
    calldata: int
    logs: int
    words: int
    contracts: int
    refund: int

    @property
    def gas(self) -> int:
        return self.intrinsic + self.calldata + self.logs + self.words + self.contracts - self.refund


def floor(receipt: Receipt, found: Trace) -> Floor:
    """Add up what a transaction must cost that has touched these words and contracts."""
    effects = Counter(found.slots.values())
    words = sum(WORD[effect] * count for effect, count in effects.items())
    calldata = sum(NONZERO_BYTE if byte else ZERO_BYTE for byte in receipt.calldata)
    logs = sum(LOG + LOG_TOPIC * topics + LOG_BYTE * size for topics, size in receipt.logs)
    contracts = OTHER_CONTRACT * len(found.contracts) + SIGNATURE * found.signatures
    before_refund = TRANSACTION + calldata + logs + words + contracts
    refund = min(CLEARED_REFUND * effects[Effect.CLEARED], before_refund // LARGEST_REFUND)
    return Floor(TRANSACTION, calldata, logs, words, contracts, refund)


def check_needs(measured: Measured, found: Trace, words: dict[Slot, str], contracts: dict[str, str]) -> None:
    """Compare what a transaction has touched with what its rules need.

    The transaction itself must touch exactly what is needed. A variant of it touches no other words, but what becomes
    of them may differ: an account that is used for the first time is a new word.

    Raises:
        Unexplained: they differ in a word, in what became of it, in how often, or in a contract.
    """
    unknown = [slot for slot in found.slots if slot not in words]
    if unknown:
        raise Unexplained(f"{measured.operation} touches words of no known entity: {unknown}")
    needs = NEEDS[measured.transaction]
    touched = Counter((words[slot], effect) for slot, effect in found.slots.items())
    called = {contracts.get(address, address) for address in found.contracts}
    if measured.operation == measured.transaction:
        needed = Counter((need.word, need.effect) for need in needs if not need.is_optional)
        wanted = {need.contract for need in needs if need.contract is not None and not need.is_optional}
        if touched != needed:
            raise Unexplained(f"{measured.operation} touches {_text(touched)}, its rules need {_text(needed)}")
        if called != wanted:
            raise Unexplained(f"{measured.operation} calls {sorted(called)}, its rules need {sorted(wanted)}")
    without_rule = {word for word, _ in touched} - {need.word for need in needs}
    if without_rule:
        raise Unexplained(f"{measured.operation} touches {sorted(without_rule)}, which no rule needs")
    if called - {need.contract for need in needs}:
        raise Unexplained(f"{measured.operation} calls {sorted(called)}, which no rule needs")


def _text(words: Counter[tuple[str, Effect]]) -> str:
    return ", ".join(f"{count} x {word} ({effect})" for (word, effect), count in sorted(words.items()))

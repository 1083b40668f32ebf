"""Which words and contracts a transaction touched, from the trace of each instruction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.benchmarks.gas_chain import Chain, Receipt

CALLS = ("CALL", "STATICCALL", "DELEGATECALL", "CALLCODE")
PRECOMPILES = 0x11
ECRECOVER = 1


class Effect(StrEnum):
    """What became of a word."""

    READ = "read"
    NEW = "new"
    UPDATED = "updated"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One word of storage."""

    contract: str
    number: int


@dataclass(frozen=True, slots=True)
class Trace:
    """What a transaction touched beside the account that it was sent to."""

    slots: dict[Slot, Effect]
    contracts: frozenset[str]
    """Other contracts that it called."""
    signatures: int = 0
    """How many it checked."""


def trace(chain: Chain, receipt: Receipt) -> Trace:
    """Replay a transaction: slots come from SLOAD and SSTORE, their effect from the state before and after it."""
    if receipt.to is None:
        raise ValueError("a transaction that makes a contract has no steps of another one")
    steps = chain.call("debug_traceTransaction", receipt.hash, {"disableMemory": True})["structLogs"]
    if not steps:
        raise ValueError("the node has traced no steps")
    slots, contracts = touched(steps, receipt.to)
    return Trace(
        slots={slot: _effect(chain, slot, receipt.block) for slot in slots},
        contracts=frozenset(contracts - {receipt.to}),
        signatures=sum(step["op"] in CALLS and int(step["stack"][-2], 16) == ECRECOVER for step in steps),
    )


def touched(steps: list[dict[str, Any]], to: str) -> tuple[set[Slot], set[str]]:
    """Return the words that steps of a transaction load or store, and the contracts that they call."""
    slots: set[Slot] = set()
    contracts: set[str] = set()
    callers = [to]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        del callers[step["depth"] :]
        if step["op"] in ("SLOAD", "SSTORE"):
            slots.add(Slot(callers[-1], int(step["stack"][-1], 16)))
        elif step["op"] in CALLS:
            called = int(step["stack"][-2], 16) % 2**160
            if called > PRECOMPILES:
                contracts.add(f"0x{called:040x}")
            if following is not None and following["depth"] > step["depth"]:
                # the storage of a delegate is the caller's
                callers.append(callers[-1] if "DELEGATE" in step["op"] else f"0x{called:040x}")
        elif step["op"] in ("EXTCODESIZE", "EXTCODECOPY", "EXTCODEHASH", "BALANCE"):
            contracts.add(f"0x{int(step['stack'][-1], 16) % 2**160:040x}")
    return slots, contracts


def _effect(chain: Chain, slot: Slot, block: int) -> Effect:
    before = chain.storage(slot.contract, slot.number, block - 1)
    after = chain.storage(slot.contract, slot.number, block)
    if before == after:
        return Effect.READ
    if before == 0:
        return Effect.NEW
    return Effect.CLEARED if after == 0 else Effect.UPDATED

"""What a refusal means: which texts of the exchange say that somebody was faster, and what nodes say of their pools.

docs/protocol.md lists the texts of the contracts; no two nodes use the same words for theirs.
"""

from __future__ import annotations

from enum import Enum, auto

from moorage.chain.abi import ERROR_SELECTOR, revert_text
from moorage.chain.jobs import Cause
from moorage.chain.rpc import NodeRefused

LOST_RACES = frozenset(
    {
        "deployments: closed",
        "deployments: not active",
        "exchange: nothing is ready",
        "leases: lease is stale",
        "leases: neither open nor active",
        "order_book: already bid",
        "order_book: book is full",
        "order_book: no such bid",
        "order_book: order not open",
    }
)
"""Each can be true at the block that was decided on, and untrue in the next one."""
FASTER = "somebody else was faster"


class PoolAnswer(Enum):
    """What a node's refusal of a signed transaction means for it."""

    KNOWN = auto()
    """The node has it: an earlier answer was lost."""
    NONCE_USED = auto()
    """Something with this nonce is in a block: one of ours, as the receipts will tell, or another program's."""
    LATER = auto()
    """Its fees are too low now, or the pool is full: it may be taken later, or with higher fees."""
    NO_COIN = auto()
    """The account cannot pay for the gas."""
    NEVER = auto()
    """This node does not take it whenever it is asked."""


_POOL_WORDS = (
    (PoolAnswer.KNOWN, ("already known", "alreadyknown", "known transaction", "already imported", "already exists")),
    (PoolAnswer.NONCE_USED, ("nonce too low", "nonce is too low", "oldnonce", "invalid nonce", "nonce has already")),
    (PoolAnswer.NO_COIN, ("insufficient funds", "insufficient balance", "overshot")),
    (
        PoolAnswer.LATER,
        (
            "underpriced",
            "less than block base fee",
            "below block base fee",
            "below current base fee",
            "fee too low",
            "feetoolow",
            "gas price too low",
            "tip too low",
            "below the minimum",
            "pool is full",
            "pool limit",
            "queue is full",
            "too many transactions",
            "nonce too high",
            "nonce too far",
        ),
    ),
)


def pool_answer(error: NodeRefused) -> PoolAnswer:
    """Return what a node means that does not take a signed transaction."""
    said = error.message.lower()
    for answer, words in _POOL_WORDS:
        if any(word in said for word in words):
            return answer
    return PoolAnswer.NEVER


def is_no_coin(error: NodeRefused) -> bool:
    """Return whether a simulation failed for want of gas money: no data parts it from a contract's words."""
    return error.data is None and "insufficient funds for" in error.message.lower()


def has_reason(error: NodeRefused) -> bool:
    """Return whether a contract has refused in words."""
    return (error.data or "").removeprefix("0x").startswith(ERROR_SELECTOR.hex())


def reason_of(error: NodeRefused) -> tuple[str, Cause]:
    """Return the text of a refused simulation, and what it means."""
    text = revert_text(error.data, error.message)
    if is_no_coin(error):
        return text, Cause.NO_COIN
    if text in LOST_RACES:
        return text, Cause.LOST_RACE
    return text, Cause.INVALID if has_reason(error) else Cause.BUG

"""What the journal keeps of each nonce, and how that is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from moorage.chain.transactions import Fees
from moorage.types import Address


class State(StrEnum):
    PREPARED = "prepared"  # signed; no node is known to have it
    SENT = "sent"
    MINED = "mined"  # in a block that may still be undone
    FINAL = "final"
    VOID = "void"  # given up; its nonce has to be used up by something else


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The block that a transaction is in."""

    transaction: str
    block_number: int
    block_hash: str
    cost_wei: int


@dataclass(frozen=True, slots=True)
class Row:
    """All that was signed with one nonce."""

    nonce: int
    state: State
    kind: str
    items: tuple[bytes, ...]
    description: str
    to: Address
    data: bytes
    gas: int
    fees: Fees
    """Of the newest."""
    worth_wei: int | None
    hashes: tuple[str, ...]
    """Any of them may get into a block."""
    void_from: int | None
    """How many of the hashes are of what was wanted, if the later ones do nothing but use the nonce up."""
    raw: str
    """The newest, as it is sent."""
    first_block: int
    last_block: int
    """The newest block when it was sent first, and when its fees were set."""
    inclusion: Inclusion | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is in no block, as far as is known."""
        return self.state not in (State.MINED, State.FINAL)

    @property
    def most_wei(self) -> int:
        """What it can cost at most."""
        return self.inclusion.cost_wei if self.inclusion is not None else self.gas * self.fees.max_wei


COLUMNS = (
    "nonce, state, kind, items, description, recipient, data, gas, max_fee_wei, tip_wei, worth_wei, hashes, void_from, "
    "raw, first_block, last_block, inclusion"
)


def to_columns(row: Row) -> tuple[Any, ...]:
    """Return a row as the database keeps it; amounts of wei are texts, they exceed 64 bits."""
    inclusion = row.inclusion
    return (
        row.nonce,
        row.state,
        row.kind,
        _packed([item.hex() for item in row.items]),
        row.description,
        row.to,
        row.data,
        row.gas,
        str(row.fees.max_wei),
        _text(row.fees.tip_wei),
        _text(row.worth_wei),
        _packed(row.hashes),
        row.void_from,
        row.raw,
        row.first_block,
        row.last_block,
        None
        if inclusion is None
        else _packed([inclusion.transaction, inclusion.block_number, inclusion.block_hash, inclusion.cost_wei]),
    )


def from_columns(columns: Sequence[Any]) -> Row:
    """Return a row of the database."""
    nonce, state, kind, items, description, to, data, gas, most, tip, worth, hashes, void_from, raw, *rest = columns
    first_block, last_block, inclusion = rest
    return Row(
        nonce=nonce,
        state=State(state),
        kind=kind,
        items=tuple(bytes.fromhex(item) for item in msgspec.json.decode(items)),
        description=description,
        to=Address(to),
        data=data,
        gas=gas,
        fees=Fees(int(most), _wei(tip)),
        worth_wei=_wei(worth),
        hashes=tuple(msgspec.json.decode(hashes)),
        void_from=void_from,
        raw=raw,
        first_block=first_block,
        last_block=last_block,
        inclusion=None if inclusion is None else Inclusion(*msgspec.json.decode(inclusion)),
    )


def _packed(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()


def _text(wei: int | None) -> str | None:
    return None if wei is None else str(wei)


def _wei(text: str | None) -> int | None:
    return None if text is None else int(text)

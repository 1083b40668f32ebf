"""Transactions as bytes: RLP (Ethereum Yellow Paper, appendix B) of EIP-1559 and of EIP-155 ones, made and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from moorage.types import Address

DYNAMIC_FEE = b"\x02"
"""The type of EIP-1559 transactions (EIP-2718)."""
_EMPTY_LIST = b"\xc0"
_PARITY_BASE = 35
"""EIP-155: v is twice the chain id, plus this, plus the parity."""
Item: TypeAlias = "bytes | list[Item]"


@dataclass(frozen=True, slots=True)
class Fees:
    """What is offered for a unit of gas."""

    max_wei: int
    """The most; on a chain without base fees what is paid."""
    tip_wei: int | None
    """The part for whoever makes the block (EIP-1559), within the most; None on a chain without base fees."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is signed. No coin is ever moved along: the value is 0."""

    chain_id: int
    nonce: int
    to: Address
    data: bytes
    gas: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction: its hash, and itself as it is sent, both as 0x-hex."""

    hash: str
    raw: str


@dataclass(frozen=True, slots=True)
class Signature:
    parity: int
    r: int
    s: int


class NotRlp(ValueError):
    """Bytes that are no transaction of a kind that is known here, or not in the one form that it has."""


def signing_hash(transaction: Transaction) -> bytes:
    """Return what has to be signed."""
    if transaction.fees.tip_wei is None:
        return keccak(_list(_legacy_fields(transaction) + _encoded((transaction.chain_id, 0, 0))))
    return keccak(DYNAMIC_FEE + _list(_dynamic_fields(transaction)))


def signed(transaction: Transaction, signature: Signature) -> Signed:
    """Return the transaction with its signature."""
    if transaction.fees.tip_wei is None:
        v = 2 * transaction.chain_id + _PARITY_BASE + signature.parity
        raw = _list(_legacy_fields(transaction) + _encoded((v, signature.r, signature.s)))
    else:
        last = _encoded((signature.parity, signature.r, signature.s))
        raw = DYNAMIC_FEE + _list(_dynamic_fields(transaction) + last)
    return Signed(f"0x{keccak(raw).hex()}", f"0x{raw.hex()}")


def read(raw: bytes) -> tuple[Transaction, Signature, int]:
    """Return a signed transaction, its signature, and the coin that it moves.

    Raises:
        NotRlp: it is none of the two kinds, or carries an access list.
    """
    is_dynamic = raw[:1] == DYNAMIC_FEE
    fields = _items(raw[1:] if is_dynamic else raw)
    try:
        if is_dynamic:
            chain_id, nonce, tip, most, gas, to, value, data, access, parity, r, s = fields
            if access:
                raise NotRlp("an access list")
            fees = Fees(_number(most), _number(tip))
            signature = Signature(_number(parity), _number(r), _number(s))
            chain = _number(chain_id)
        else:
            nonce, price, gas, to, value, data, v, r, s = fields
            chain, parity_number = divmod(_number(v) - _PARITY_BASE, 2)
            fees = Fees(_number(price), None)
            signature = Signature(parity_number, _number(r), _number(s))
    except (ValueError, TypeError) as error:
        raise NotRlp(f"not the fields of a transaction: {error}") from None
    recipient = Address(to_checksum_address(to)) if isinstance(to, bytes) and len(to) == 20 else Address("")
    transaction = Transaction(chain, _number(nonce), recipient, _bytes(data), _number(gas), fees)
    return transaction, signature, _number(value)


def _dynamic_fields(transaction: Transaction) -> bytes:
    fees = transaction.fees
    head = (transaction.chain_id, transaction.nonce, fees.tip_wei or 0, fees.max_wei, transaction.gas)
    return _encoded(head) + _call(transaction) + _EMPTY_LIST


def _legacy_fields(transaction: Transaction) -> bytes:
    return _encoded((transaction.nonce, transaction.fees.max_wei, transaction.gas)) + _call(transaction)


def _call(transaction: Transaction) -> bytes:
    """Return recipient, value and data."""
    return _string(bytes.fromhex(transaction.to[2:])) + _encoded((0,)) + _string(transaction.data)


def _encoded(numbers: Sequence[int]) -> bytes:
    return b"".join([_string(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in numbers])


def _string(content: bytes) -> bytes:
    if len(content) == 1 and content[0] < 0x80:
        return content
    return _head(0x80, len(content)) + content


def _list(content: bytes) -> bytes:
    return _head(0xC0, len(content)) + content


def _head(base: int, length: int) -> bytes:
    if length <= 55:
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(size),)) + size


def _items(raw: bytes) -> list[Item]:
    item, end = _item(raw, 0, 0)
    if end != len(raw) or not isinstance(item, list):
        raise NotRlp("not one list")
    return item


def _item(raw: bytes, start: int, depth: int) -> tuple[Item, int]:
    """Return what begins there, and where it ends."""
    if start >= len(raw) or depth > 1:
        raise NotRlp("cut off, or a list of lists")
    first = raw[start]
    if first < 0x80:
        return raw[start : start + 1], start + 1
    base = 0xC0 if first >= 0xC0 else 0x80
    short = first - base
    begin = start + 1 + max(0, short - 55)
    length = short if short <= 55 else int.from_bytes(raw[start + 1 : begin], "big")
    end = begin + length
    if end > len(raw):
        raise NotRlp("cut off")
    if base == 0x80:
        return raw[begin:end], end
    items: list[Item] = []
    while begin < end:
        item, begin = _item(raw[:end], begin, depth + 1)
        items.append(item)
    return items, end


def _bytes(item: Item) -> bytes:
    if not isinstance(item, bytes):
        raise NotRlp("a list where bytes belong")
    return item


def _number(item: Item) -> int:
    content = _bytes(item)
    if content[:1] == b"\0" or len(content) > 32:
        raise NotRlp("not a number")
    return int.from_bytes(content, "big")

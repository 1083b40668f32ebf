"""Transactions in files, on their way to a key that is elsewhere and back: unsigned out, signed in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from cli.core.report import counted
from cli.failures import ExitStatus, Failure
from cli.gas import FEE_MARGIN, with_margin
from cli.new_files import taken, write_new
from cli.output import note
from cli.preview import Preview
from cli.session import Session
from cli.wallet import parse_address
from moorage.chain.contracts import Call
from moorage.chain.fees import Quote
from moorage.chain.remote_signer import signer_of
from moorage.chain.rpc import as_number
from moorage.chain.transactions import Fees, NotRlp, Signed, Transaction, read, signed
from moorage.types import Address

FORMAT = 1
UNSIGNED, SIGNED = "moorage-unsigned", "moorage-signed"


Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""Nonces (EIP-2681), gas and wei for a unit of it: what nodes take fits into it."""


class _Kind(msgspec.Struct):
    kind: str


class _Transaction(msgspec.Struct, forbid_unknown_fields=True):
    nonce: Number
    to: str
    data: str
    gas: Number
    max_fee_wei: Number
    priority_fee_wei: Number | None


class _Unsigned(msgspec.Struct):
    format: int
    kind: str
    chain_id: Number
    sender: str
    transactions: list[_Transaction]


class _Signed(msgspec.Struct):
    format: int
    kind: str
    chain_id: int
    transactions: list[str]


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What a file asks a key to sign."""

    chain_id: int
    sender: Address
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file has signed."""

    sender: Address
    transactions: tuple[tuple[Transaction, Signed], ...]


async def write_unsigned(
    path: Path, session: Session, sender: Address, calls: Sequence[Call], tried: Preview, quote: Quote
) -> None:
    """Write calls as transactions that follow the wallet's last one.

    Raises:
        Failure: the node does not say how much gas they need, or there is something at the path.
        NodeUnavailable: the node does not answer.
    """
    if tried.gas is None:
        text = "this node has no eth_simulateV1: it does not say what gas transactions need that build on each other"
        raise Failure(ExitStatus.CHAIN_UNAVAILABLE, f"{text}: use another node for --unsigned-out")
    nonce = as_number(await session.rpc.call("eth_getTransactionCount", sender, "pending"))
    fees = quote.fees
    document = {
        "format": FORMAT,
        "kind": UNSIGNED,
        "chain_id": session.market.chain_id,
        "sender": sender,
        "transactions": [
            {
                "nonce": nonce + position,
                "to": call.to,
                "data": f"0x{call.data.hex()}",
                "gas": with_margin(gas),
                "max_fee_wei": fees.max_wei * FEE_MARGIN,
                "priority_fee_wei": fees.tip_wei,
            }
            for position, (call, gas) in enumerate(zip(calls, tried.gas, strict=True))
        ],
    }
    write_new(path, json.dumps(document, indent=2).encode(), taken(path))
    count = counted(len(calls), "transaction")
    where = f"`moorage wallet sign {path.name}` where the key is, then `moorage send {path.name}.signed` here"
    note(f"{path}: {count} to be signed, nothing was sent: now {where}")


def read_unsigned(path: Path) -> Unsigned:
    """Return what a file asks for.

    Raises:
        Failure: it is no such file.
    """
    file = _decoded(path, _Unsigned, UNSIGNED)
    try:
        transactions = tuple(
            Transaction(
                file.chain_id,
                each.nonce,
                parse_address(each.to, f"{path}: to"),
                bytes.fromhex(each.data.removeprefix("0x")),
                each.gas,
                Fees(each.max_fee_wei, each.priority_fee_wei),
            )
            for each in file.transactions
        )
    except ValueError as error:
        raise _no_file(path, str(error)) from None
    return Unsigned(file.chain_id, parse_address(file.sender, f"{path}: sender"), transactions)


def write_signed(path: Path, chain_id: int, transactions: Sequence[Signed]) -> None:
    """Write what was signed.

    Raises:
        Failure: there is something at the path.
    """
    raws = [each.raw for each in transactions]
    document = {"format": FORMAT, "kind": SIGNED, "chain_id": chain_id, "transactions": raws}
    write_new(path, json.dumps(document, indent=2).encode(), taken(path))


def read_signed(path: Path) -> Loaded:
    """Return what a file has signed, by whom it really is.

    Raises:
        Failure: it is no such file, moves coin, or is signed by several.
    """
    file = _decoded(path, _Signed, SIGNED)
    found: list[tuple[Transaction, Signed]] = []
    senders: set[Address | None] = set()
    for raw in file.transactions:
        try:
            transaction, signature, value = read(bytes.fromhex(raw.removeprefix("0x")))
        except (NotRlp, ValueError) as error:
            raise _no_file(path, str(error)) from None
        if value:
            raise _no_file(path, "it moves the chain's coin, which no transaction of a market does")
        again = signed(transaction, signature)
        if again.raw != raw:
            raise _no_file(path, "a transaction is not in the one form that it has")
        found.append((transaction, again))
        senders.add(signer_of(transaction, signature))
    if len(senders) != 1 or None in senders:
        raise _no_file(path, "its transactions are not all signed by one key")
    (sender,) = senders
    assert sender is not None
    return Loaded(sender, tuple(found))


def _decoded(path: Path, form: Any, kind: str) -> Any:
    try:
        content = path.read_bytes()
        if kind == SIGNED and msgspec.json.decode(content, type=_Kind).kind == UNSIGNED:
            raise Failure(ExitStatus.USAGE, f"{path}: not signed yet: `moorage wallet sign {path.name}` first")
        file = msgspec.json.decode(content, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_file(path, str(error)) from None
    if (file.format, file.kind) != (FORMAT, kind):
        raise _no_file(path, f"it is {file.kind!r} of format {file.format}, wanted is {kind!r} of format {FORMAT}")
    if not file.transactions:
        raise _no_file(path, "there is nothing in it")
    return file


def _no_file(path: Path, why: str) -> Failure:
    return Failure(ExitStatus.USAGE, f"{path}: not a file of transactions: {why}")

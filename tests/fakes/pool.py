"""A node with a pool of transactions that follows the rules of geth, and mines when a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc
from tests.fakes.node import Refusal

CHAIN_ID = 31337
GAS = 100_000
REPLACE_PERCENT = 112.5
Fault = Exception | None


@dataclass
class Entry:
    """A transaction in the pool."""

    hash: str
    sender: str
    fields: dict[str, Any]


@dataclass
class Pool:
    """Answers the calls that a sender makes.

    Attributes:
        faults: by method, what the next calls meet, in order; None lets one through.
        lost_answers: by method, how many calls take effect without an answer.
        refusals: by calldata, what its simulation is refused with.
        seen: all that the pool ever took, the oldest first.
    """

    is_mining: bool = True
    status: str = "0x1"
    base_fee: int = 10**9
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    lost_answers: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    seen: list[Entry] = field(default_factory=list)
    pool: dict[tuple[str, int], Entry] = field(default_factory=dict)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    rpc: Rpc = field(init=False)

    def __post_init__(self) -> None:
        self.rpc = _PoolRpc(self)

    def answer(self, method: str, params: list[Any]) -> Any:
        self.calls.append(method)
        waiting = self.faults.get(method)
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            raise fault
        result = getattr(self, method)(*params)
        if self.lost_answers.get(method, 0):
            self.lost_answers[method] -= 1
            raise NodeUnavailable("the answer was lost")
        return result

    def mine(self, entry: Entry) -> None:
        """Put a transaction that the pool has, or had, into a block."""
        nonce = (entry.sender, entry.fields["nonce"])
        self.pool.pop(nonce, None)
        number = hex(len(self.receipts) + 1)
        self.receipts[entry.hash] = {"blockNumber": number, "status": self.status, "gasUsed": "0x5208", "logs": []}

    def eth_getTransactionCount(self, address: str, tag: str) -> str:
        count = sum(1 for entry in self.seen if entry.hash in self.receipts and entry.sender == address)
        while tag == "pending" and (address, count) in self.pool:
            count += 1
        return hex(count)

    def eth_getBlockByNumber(self, tag: str, full: bool) -> dict[str, Any]:
        return {"number": "0x1", "baseFeePerGas": hex(self.base_fee)}

    def eth_estimateGas(self, message: dict[str, str], tag: str) -> str:
        assert tag == "pending"
        if message["data"] in self.refusals:
            raise self.refusals[message["data"]]
        return hex(GAS)

    def eth_call(self, message: dict[str, str], tag: str) -> str:
        if message["data"] in self.refusals:
            raise self.refusals[message["data"]]
        return "0x"

    def eth_sendRawTransaction(self, raw: str) -> str:
        entry = _entry(raw)
        nonce, known = entry.fields["nonce"], self.pool.get((entry.sender, entry.fields["nonce"]))
        if entry.hash in self.receipts or (known is not None and known.hash == entry.hash):
            raise Refusal("already known", code=-32000)
        if nonce < int(self.eth_getTransactionCount(entry.sender, "latest"), 16):
            raise Refusal("nonce too low", code=-32000)
        if known is not None and not all(_is_raised(known, entry, fee) for fee in _fees(entry)):
            raise Refusal("replacement transaction underpriced", code=-32000)
        self.seen.append(entry)
        self.pool[(entry.sender, nonce)] = entry
        while self.is_mining and (ready := self._ready(entry.sender)) is not None:
            self.mine(ready)
        return entry.hash

    def _ready(self, sender: str) -> Entry | None:
        return self.pool.get((sender, int(self.eth_getTransactionCount(sender, "latest"), 16)))

    def eth_getTransactionReceipt(self, transaction: str) -> dict[str, Any] | None:
        return self.receipts.get(transaction)


class _PoolRpc(Rpc):
    """A client that asks the pool in this process."""

    def __init__(self, pool: Pool) -> None:
        super().__init__("http://127.0.0.1:1")
        self._pool = pool

    async def call(self, method: str, *params: Any) -> Any:
        try:
            return self._pool.answer(method, list(params))
        except Refusal as refusal:
            error = refusal.error
            raise NodeRefused(error["code"], error["message"], error.get("data")) from refusal


def _entry(raw: str) -> Entry:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return Entry(f"0x{keccak(hexstr=raw).hex()}", str(Account.recover_transaction(raw)), fields)


def _fees(entry: Entry) -> Iterator[str]:
    yield from (key for key in entry.fields if key in ("maxFeePerGas", "maxPriorityFeePerGas"))


def _is_raised(old: Entry, new: Entry, fee: str) -> bool:
    return bool(new.fields[fee] * 100 >= old.fields[fee] * REPLACE_PERCENT)

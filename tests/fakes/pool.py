"""A node with a pool of transactions that follows the rules of geth, and mines when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import rlp
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc
from moorage.snapshot import Block
from tests.fakes.node import Refusal

CHAIN_ID = 31337
GAS = 100_000
USED = 80_000
REPLACE_PERCENT = 112.5
Fault = Exception | None


@dataclass
class Entry:
    """A transaction in the pool."""

    hash: str
    sender: str
    fields: dict[str, Any]

    @property
    def nonce(self) -> int:
        return int(self.fields["nonce"])

    @property
    def data(self) -> bytes:
        return bytes(self.fields["data"])

    @property
    def most(self) -> int:
        return int(self.fields.get("maxFeePerGas", self.fields.get("gasPrice")))


@dataclass
class MinedBlock:
    number: int
    hash: str
    entries: list[Entry]


@dataclass
class Pool:
    """Answers the calls that a sender makes.

    Attributes:
        is_mining: whether each transaction that is ready gets into a block of its own at once.
        status: of what is mined from now on.
        faults: by method, what the next calls meet, in order; None lets one through.
        lost_answers: by method, how many calls take effect without an answer.
        swallowed: how many more transactions are answered with their hash and then forgotten.
        refusals: by calldata, what its simulation is refused with.
        refused: by calldata, what the transaction is refused with when it is sent.
        hidden: methods that the node does not have, and tags of blocks.
        gas: what a call needs, by its data.
        before: what happens before a method is answered.
        seen: all that the pool ever took, the oldest first.
    """

    is_mining: bool = True
    status: str = "0x1"
    base_fee: int = 10**9
    gas_limit: int = 30_000_000
    balance: int = 10**24
    is_legacy: bool = False
    final_depth: int | None = None
    tips: list[int] | None = None
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    lost_answers: dict[str, int] = field(default_factory=dict)
    swallowed: int = 0
    refusals: dict[str, Refusal] = field(default_factory=dict)
    refused: dict[bytes, Refusal] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    gas: Callable[[bytes], int] = lambda data: GAS
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    seen: list[Entry] = field(default_factory=list)
    pool: dict[tuple[str, int], Entry] = field(default_factory=dict)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    blocks: list[MinedBlock] = field(default_factory=list)
    branch: int = 0
    rpc: Rpc = field(init=False)

    def __post_init__(self) -> None:
        self.rpc = _PoolRpc(self)
        self._add([])

    @property
    def head(self) -> Block:
        last = self.blocks[-1]
        return Block(last.number, bytes.fromhex(last.hash[2:]), 1_700_000_000 + last.number)

    def effects(self) -> list[bytes]:
        """Return the data of all that has succeeded, in the chain's order."""
        mined = [entry for block in self.blocks for entry in block.entries]
        return [entry.data for entry in mined if self.receipts[entry.hash]["status"] == "0x1"]

    def answer(self, method: str, params: list[Any]) -> Any:
        self.calls.append(method)
        self.before.get(method, lambda: None)()
        waiting = self.faults.get(method)
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            raise fault
        if method in self.hidden:
            raise Refusal(f"the method {method} does not exist", code=-32601)
        tags = self.hidden.intersection(each for each in params if isinstance(each, str))
        if tags:
            raise Refusal(f"invalid block tag {tags.pop()}", code=-32602)
        result = getattr(self, method)(*params)
        if self.lost_answers.get(method, 0):
            self.lost_answers[method] -= 1
            raise NodeUnavailable("the answer was lost")
        return result

    def mine(self, entry: Entry) -> None:
        """Put a transaction that the pool has, or had, into a block."""
        self.pool.pop((entry.sender, entry.nonce), None)
        self._add([entry])

    def pass_blocks(self, count: int = 1) -> None:
        """Add blocks with everything that is ready and pays for it."""
        for _ in range(count):
            ready: list[Entry] = []
            for sender in {sender for sender, _ in self.pool}:
                nonce = int(self.eth_getTransactionCount(sender, "latest"), 16)
                while (entry := self.pool.get((sender, nonce))) is not None and entry.most >= self.base_fee:
                    ready.append(self.pool.pop((sender, nonce)))
                    nonce += 1
            self._add(ready)

    def pass_empty(self, count: int = 1) -> None:
        """Add blocks that leave everything in the pool."""
        for _ in range(count):
            self._add([])

    def reorganise(self, depth: int) -> None:
        """Replace the newest blocks by one more empty ones; what was in them is gone, as after anvil_reorg."""
        self.branch += 1
        for block in self.blocks[-depth:]:
            for entry in block.entries:
                del self.receipts[entry.hash]
        del self.blocks[-depth:]
        self.pass_empty(depth + 1)

    def evict(self) -> None:
        """Forget what does not pay the base fee, as anvil does."""
        self.pool = {key: entry for key, entry in self.pool.items() if entry.most >= self.base_fee}

    def _add(self, entries: list[Entry]) -> None:
        number = self.blocks[-1].number + 1 if self.blocks else 0
        block = MinedBlock(number, f"0x{keccak(f'{number} {self.branch} {entries}'.encode()).hex()}", entries)
        self.blocks.append(block)
        for entry in entries:
            self.receipts[entry.hash] = {
                "transactionHash": entry.hash,
                "blockNumber": hex(number),
                "blockHash": block.hash,
                "status": self.status,
                "gasUsed": hex(USED),
                "effectiveGasPrice": hex(min(entry.most, self.base_fee + entry.fields.get("maxPriorityFeePerGas", 0))),
                "logs": [],
            }

    def eth_getTransactionCount(self, address: str, tag: str) -> str:
        count = sum(1 for block in self.blocks for entry in block.entries if entry.sender == address)
        while tag == "pending" and (address, count) in self.pool:
            count += 1
        return hex(count)

    def eth_getBlockByNumber(self, tag: str, full: bool) -> dict[str, Any] | None:
        if tag == "finalized":
            number = -1 if self.final_depth is None else self.blocks[-1].number - self.final_depth
        else:
            number = self.blocks[-1].number if tag == "latest" else int(tag, 16)
        if not 0 <= number <= self.blocks[-1].number:
            return None
        block = self.blocks[number]
        parent = self.blocks[number - 1].hash if number else f"0x{'0' * 64}"
        found = {"number": hex(number), "hash": block.hash, "parentHash": parent, "timestamp": "0x1"}
        found |= {"gasLimit": hex(self.gas_limit)}
        return found if self.is_legacy else found | {"baseFeePerGas": hex(self.base_fee)}

    def eth_feeHistory(self, count: str, tag: str, percentiles: list[int]) -> dict[str, Any]:
        tips = self.tips or []
        return {"reward": [[hex(tip)] for tip in tips], "gasUsedRatio": [0.5 if tip else 0 for tip in tips]}

    def eth_gasPrice(self) -> str:
        return hex(self.base_fee)

    def eth_getBalance(self, address: str, tag: str) -> str:
        return hex(self.balance)

    def eth_estimateGas(self, message: dict[str, str], tag: str = "latest") -> str:
        if message["data"] in self.refusals:
            raise self.refusals[message["data"]]
        return hex(self.gas(bytes.fromhex(message["data"][2:])))

    def eth_simulateV1(self, wanted: dict[str, Any], tag: str) -> list[dict[str, Any]]:
        (block,) = wanted["blockStateCalls"]
        return [{"number": "0x1", "calls": [self._simulated(message["data"]) for message in block["calls"]]}]

    def _simulated(self, data: str) -> dict[str, Any]:
        found = {"returnData": "0x", "logs": [], "gasUsed": hex(self.gas(bytes.fromhex(data[2:])))}
        if data not in self.refusals:
            return found | {"status": "0x1"}
        return found | {"status": "0x0", "error": {"code": 3, "message": "execution reverted"}}

    def eth_call(self, message: dict[str, str], tag: str) -> str:
        if message["data"] in self.refusals:
            raise self.refusals[message["data"]]
        return "0x"

    def eth_sendRawTransaction(self, raw: str) -> str:
        entry = _entry(raw)
        if entry.data in self.refused:
            raise self.refused[entry.data]
        nonce, known = entry.nonce, self.pool.get((entry.sender, entry.nonce))
        if entry.hash in self.receipts or (known is not None and known.hash == entry.hash):
            raise Refusal("already known", code=-32000)
        if nonce < int(self.eth_getTransactionCount(entry.sender, "latest"), 16):
            raise Refusal("nonce too low", code=-32000)
        if known is not None and not all(_is_raised(known, entry, fee) for fee in _fees(entry)):
            raise Refusal("replacement transaction underpriced", code=-32000)
        self.seen.append(entry)
        if self.swallowed:
            self.swallowed -= 1
            return entry.hash
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

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        try:
            return msgspec.convert(self._pool.answer(method, list(params)), kind)
        except Refusal as refusal:
            error = refusal.error
            raise NodeRefused(error["code"], error["message"], error.get("data")) from refusal

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
        """Carry all calls out, as nodes do, and fail by the first that is refused or lost."""
        results: list[Any] = []
        for method, params in calls:
            try:
                results.append(await self.call(method, *params, kind=kind))
            except (NodeRefused, NodeUnavailable) as error:
                results.append(error)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results


def _entry(raw: str) -> Entry:
    data = HexBytes(raw)
    if data[0] == 2:
        fields = TypedTransaction.from_bytes(data).as_dict()
    else:
        nonce, price, gas, to, value, call, v, _, _ = rlp.decode(bytes(data))
        numbers = {"nonce": nonce, "gasPrice": price, "gas": gas, "value": value, "v": v}
        fields = {name: int.from_bytes(number, "big") for name, number in numbers.items()}
        fields |= {"to": HexBytes(to), "data": HexBytes(call)}
    return Entry(f"0x{keccak(hexstr=raw).hex()}", str(Account.recover_transaction(raw)), fields)


def _fees(entry: Entry) -> Iterator[str]:
    yield from (key for key in entry.fields if key in ("maxFeePerGas", "maxPriorityFeePerGas", "gasPrice"))


def _is_raised(old: Entry, new: Entry, fee: str) -> bool:
    return bool(new.fields[fee] * 100 >= old.fields[fee] * REPLACE_PERCENT)

"""A chain of blocks with the events of an exchange, in memory: it can be reorganised, lag behind, and withhold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import msgspec
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from moorage import terms
from moorage.chain import abi
from moorage.chain.market import Market
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc
from moorage.snapshot import Block
from moorage.types import Address, Group
from tests.markets import DEPLOYMENT, PARAMETERS, TENANT, make_group

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
ABI = abi.load("Exchange")
FIRST = 10
"""The block of the deployment of the contracts."""
MARKET = Market(
    chain_id=31337,
    seconds_per_block=Fraction(1),
    first_block=FIRST,
    exchange=EXCHANGE,
    registry=Address("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
    token=Address("0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"),
    token_symbol="MOOR",
    parameters=PARAMETERS,
    code_hashes={},
)
Event = tuple[str, dict[str, Any]]


def submitted(version: bytes = b"\x01" * 32, deployment: bytes = DEPLOYMENT) -> Event:
    arguments = {"deployment": deployment, "tenant": TENANT, "salt": b"\0" * 32, "version": version}
    return "DeploymentSubmitted", arguments | {"wait_duration": 50}


def updated(version: bytes, number: int) -> Event:
    return "DeploymentUpdated", {"deployment": DEPLOYMENT, "version": version, "update_number": number}


def created(group: Group | None = None, nonce: int = 0, name: bytes | None = None) -> Event:
    """Return the event of a new order; `name` in place of the group's goes on chain as it is."""
    group = group or make_group()
    written = terms.group_tuple(group) if name is None else (name.ljust(32, b"\0"), *terms.group_tuple(group)[1:])
    resources = encode(["bytes32", "(uint256,uint256,uint256,uint256,uint256,uint256)[]"], [written[0], written[3]])
    key = terms.order_key(DEPLOYMENT, terms.nonce_of(nonce), 50, group, PARAMETERS)
    order = terms.order_id(type(key)(key.deployment, key.nonce, key.terms, keccak(resources)))
    arguments = {"order": order, "deployment": DEPLOYMENT, "nonce": nonce, "deposit": 10_000, "wait_duration": 50}
    return "OrderCreated", arguments | {"group": written}


def bid(order: bytes, provider: int) -> Event:
    return "FulfillmentSubmitted", {"order": order, "provider": provider, "charge": 40, "prices": [40]}


def renewed(order: bytes, replaced: bytes) -> Event:
    arguments = {"order": order, "deployment": DEPLOYMENT, "replaced": replaced, "deposit": 9_000}
    return "OrderRecreated", arguments | {"excluded_provider": 7}


@dataclass
class MarketNode(Rpc):
    """The node and its client in one.

    Attributes:
        faults: by method, what the next calls meet, in order; None lets one through.
        views: by function of the exchange, what it returns for its arguments, as the ABI's values.
        distrusted: how often somebody has asked for another node.
        lag: how many blocks the node lacks of its own chain.
        most_logs: what it gives in one answer.
        limit_fault: what it answers beyond that.
    """

    url: str = "http://127.0.0.1:1"
    name: str = "the fake"
    blocks: list[Block] = field(default_factory=list)
    events: dict[bytes, list[Event]] = field(default_factory=dict)
    faults: dict[str, list[Exception | None]] = field(default_factory=dict)
    views: dict[str, Callable[..., Any]] = field(default_factory=dict)
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    lag: int = 0
    distrusted: int = 0
    most_logs: int = 10**9
    limit_fault: Exception = field(
        default_factory=lambda: NodeRefused(-32602, "query returned more than 10000 results", None)
    )
    others: tuple[Rpc, ...] = ()
    _branch: int = 0

    def __post_init__(self) -> None:
        for _ in range(FIRST + 1):
            self.add()

    @property
    def head(self) -> Block:
        return self.blocks[-1 - self.lag]

    def add(self, *events: Event) -> Block:
        """Add a block with events."""
        number = len(self.blocks)
        hash_ = keccak(f"{number} {self._branch} {events}".encode())
        parent = self.blocks[-1].hash if self.blocks else b"\0" * 32
        block = Block(number, hash_, 1_700_000_000 + number, parent)
        self.blocks.append(block)
        self.events[block.hash] = list(events)
        return block

    def reorganise(self, depth: int, *blocks: Sequence[Event]) -> None:
        """Replace the newest blocks by others."""
        self._branch += 1
        del self.blocks[len(self.blocks) - depth :]
        for events in blocks:
            self.add(*events)

    def count(self, method: str) -> int:
        return sum(1 for name, _ in self.calls if name == method)

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        self.calls.append((method, list(params)))
        waiting = self.faults.get(method)
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            raise fault
        try:
            return msgspec.convert(getattr(self, f"_{method}")(*params), kind)
        except msgspec.ValidationError as error:
            raise NodeUnavailable(str(error)) from error

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
        return [await self.call(method, *params, kind=kind) for method, params in calls]

    def distrust(self) -> None:
        self.distrusted += 1

    def _eth_blockNumber(self) -> str:
        return hex(self.head.number)

    def _eth_getBlockByNumber(self, tag: str, full: bool) -> dict[str, Any] | None:
        number = (
            self.head.number
            if tag == "latest"
            else max(0, self.head.number - 2)
            if tag == "finalized"
            else int(tag, 16)
        )
        if number > self.head.number:
            return None
        block = self.blocks[number]
        parent = block.parent_hash
        return {
            "number": hex(number),
            "hash": f"0x{block.hash.hex()}",
            "parentHash": f"0x{parent.hex()}",
            "timestamp": hex(block.timestamp),
        }

    def _eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        if "blockHash" in query:
            found = [block for block in self._known() if f"0x{block.hash.hex()}" == query["blockHash"]]
            if not found:
                raise NodeRefused(-32000, "unknown block", None)
        else:
            first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
            found = [block for block in self._known() if first <= block.number <= last]
        logs = [_log(block, event) for block in found for event in self.events[block.hash]]
        if len(logs) > self.most_logs and "blockHash" not in query:
            raise self.limit_fault
        return logs

    def _eth_call(self, message: dict[str, str], tag: Any) -> str:
        if isinstance(tag, dict) and tag["blockHash"] not in {f"0x{block.hash.hex()}" for block in self._known()}:
            raise NodeRefused(-32000, "header not found", None)
        data = bytes.fromhex(message["data"][2:])
        function = next(each for each in ABI.functions.values() if each.selector == data[:4])
        result = self.views[function.name](*decode(function.inputs, data[4:]))
        return f"0x{encode(function.outputs, [result]).hex()}"

    def _known(self) -> list[Block]:
        return self.blocks[: len(self.blocks) - self.lag]


def _log(block: Block, event: Event) -> dict[str, Any]:
    name, arguments = event
    entry = next(each for each in ABI.events.values() if each.name == name)
    topics = [entry.topic] + [encode([kind], [arguments[key]]) for key, kind in entry.indexed]
    data = encode([kind for _, kind in entry.data], [arguments[key] for key, _ in entry.data])
    return {
        "address": EXCHANGE.lower(),
        "blockNumber": hex(block.number),
        "blockHash": f"0x{block.hash.hex()}",
        "topics": [f"0x{topic.hex()}" for topic in topics],
        "data": f"0x{data.hex()}",
    }

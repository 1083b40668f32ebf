"""A node whose answers are bytes that were written before: what is measured with it is the program alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from eth_abi.abi import encode

from moorage import terms
from moorage.chain import abi
from moorage.chain.rpc import _ANSWERS, Rpc
from moorage.snapshot import Block
from moorage.types import DeploymentId, OrderKey
from tests.fakes.market_node import EXCHANGE, Event, submitted
from tests.markets import PARAMETERS, TENANT, make_group

EXCHANGE_ABI = abi.load("Exchange")
DEPLOYMENT_VIEW = f"0x{EXCHANGE_ABI.functions['deployment'].selector.hex()}"
WAIT = 50
GAS = 900_000
GROUPS = 8
"""Orders of a deployment."""
CREATED, BIDDEN = 20, 21
"""Blocks with the orders, and with all bids on them: in the next one they may be matched."""


def block(number: int) -> Block:
    return Block(number, number.to_bytes(32, "big"), 1_700_000_000 + number, (number - 1).to_bytes(32, "big"))


def log_of(number: int, event: Event, index: int) -> dict[str, Any]:
    """Return an entry of eth_getLogs with all the fields that nodes give."""
    name, arguments = event
    entry = next(each for each in EXCHANGE_ABI.events.values() if each.name == name)
    topics = [entry.topic] + [encode([kind], [arguments[key]]) for key, kind in entry.indexed]
    data = encode([kind for _, kind in entry.data], [arguments[key] for key, _ in entry.data])
    return {
        "address": EXCHANGE.lower(),
        "topics": [f"0x{topic.hex()}" for topic in topics],
        "data": f"0x{data.hex()}",
        "blockHash": f"0x{block(number).hash.hex()}",
        "blockNumber": hex(number),
        "blockTimestamp": hex(1_700_000_000 + number),
        "transactionHash": f"0x{index.to_bytes(32, 'big').hex()}",
        "transactionIndex": hex(index),
        "logIndex": hex(index),
        "removed": False,
    }


class CannedNode(Rpc):
    """Answers with the block that it was set to. The time that it takes itself is in `seconds`."""

    def __init__(self, orders: int, bids_per_order: int, match_block: int = BIDDEN + 1) -> None:
        super().__init__("http://127.0.0.1:1")
        self.match_block = match_block
        self.requests: list[int] = []
        """How many calls each request had."""
        self.head = CREATED
        self.seconds = 0.0
        self.sent: list[str] = []
        made: list[Event] = []
        self.keys: list[OrderKey] = []
        while len(self.keys) < orders:
            deployment = DeploymentId(len(made).to_bytes(32, "big"))
            made.append(submitted(deployment=deployment))
            for nonce in range(GROUPS):
                made.append(self._ordered(deployment, nonce))
        self.orders = [terms.order_id(key) for key in self.keys]
        bids = [
            ("FulfillmentSubmitted", {"order": order, "provider": number, "charge": 40, "prices": [40]})
            for order in self.orders
            for number in range(1, bids_per_order + 1)
        ]
        self.logs = {CREATED: self._written(CREATED, made), BIDDEN: self._written(BIDDEN, bids)}
        self._bids = bids_per_order
        deployment_row = encode(["address", *["uint256"] * 5], [TENANT, 1, GROUPS, GROUPS, 1, WAIT])
        self._deployment = b'"0x' + deployment_row.hex().encode() + b'"'

    def _ordered(self, deployment: DeploymentId, nonce: int) -> Event:
        group = make_group()
        key = terms.order_key(deployment, terms.nonce_of(nonce), WAIT, group, PARAMETERS)
        self.keys.append(key)
        arguments = {"order": terms.order_id(key), "deployment": deployment, "nonce": nonce, "deposit": 10_000}
        return "OrderCreated", arguments | {"wait_duration": WAIT, "group": terms.group_tuple(group)}

    def _view(self, data: str) -> bytes:
        if data.startswith(DEPLOYMENT_VIEW):
            return self._deployment
        bids = self._bids if self.head >= BIDDEN else 0
        row = encode(["uint256"] * 5, [1, 10_000, self.match_block, bids, 0])
        return b'"0x' + row.hex().encode() + b'"'

    def touch(self, number: int, orders: Sequence[bytes]) -> None:
        """Have a block tell of some orders."""
        funded = [("OrderFunded", {"order": order, "payer": TENANT, "amount": 1}) for order in orders]
        self.logs[number] = self._written(number, funded)

    def _written(self, number: int, events: Sequence[Event]) -> bytes:
        return msgspec.json.encode([log_of(number, event, index) for index, event in enumerate(events)])

    def result(self, method: str, params: Sequence[Any]) -> bytes:
        """Return the JSON of a result."""
        match method:
            case "eth_getBlockByNumber":
                return msgspec.json.encode(
                    self._header(self.head if not params[0].startswith("0x") else int(params[0], 16))
                )
            case "eth_getLogs":
                query = params[0]
                number = int(query["blockHash"], 16) if "blockHash" in query else int(query["toBlock"], 16)
                return self.logs.get(number, b"[]")
            case "eth_call":
                return self._view(params[0]["data"])
            case "eth_sendRawTransaction":
                self.sent.append(params[0])
                return b'"0x' + b"00" * 32 + b'"'
            case "eth_feeHistory":
                return msgspec.json.encode(
                    {
                        "reward": [["0x3b9aca00"]] * 10,
                        "gasUsedRatio": [0.5] * 10,
                        "baseFeePerGas": ["0x1"] * 11,
                        "oldestBlock": "0x1",
                    }
                )
            case "eth_getTransactionCount":
                return msgspec.json.encode(hex(len(self.sent)))
            case _:
                numbers = {
                    "eth_estimateGas": GAS,
                    "eth_getBalance": 10**24,
                    "eth_chainId": 31337,
                    "eth_gasPrice": 10**9,
                    "eth_maxPriorityFeePerGas": 10**9,
                    "eth_blockNumber": self.head,
                }
                return msgspec.json.encode(hex(numbers[method]))

    def _header(self, number: int) -> dict[str, Any]:
        found = block(number)
        return {
            "number": hex(number),
            "hash": f"0x{found.hash.hex()}",
            "parentHash": f"0x{found.parent_hash.hex()}",
            "timestamp": hex(found.timestamp),
            "gasLimit": hex(30_000_000),
            "gasUsed": "0x0",
            "baseFeePerGas": hex(10**9),
            "transactions": [],
        }

    def body(self, request: Any) -> bytes:
        """Return the body of a response."""
        if isinstance(request, list):
            return b"[" + b",".join(map(self.body, request)) + b"]"
        result = self.result(request["method"], request["params"])
        return b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (request["id"], result)

    async def _post(self, body: Any) -> Any:
        self.requests.append(len(body) if isinstance(body, list) else 1)
        sent = msgspec.json.encode(body)
        started = time.process_time()
        text = self.body(msgspec.json.decode(sent))
        self.seconds += time.process_time() - started
        return _ANSWERS.decode(text)

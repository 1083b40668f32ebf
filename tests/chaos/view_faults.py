"""Faults of what a node knows: it is behind, goes back, is of another chain, lacks methods, or limits its answers."""

from __future__ import annotations

from typing import Any

from tests.chaos.fault import HEAD_PUSH, Answer, Call, Fault, Forward, Frame, Node, error, only, result

BLOCK_ARGUMENT = {
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
    "eth_feeHistory": 1,
}
"""Where the methods that read a state have their block."""
BY_HASH = only("eth_getBlockByHash", "eth_getTransactionReceipt", "eth_getTransactionByHash")
UNKNOWN_BLOCK = error(-32000, "unknown block")
NO_HEADER = error(-32000, "header not found")


class Lag(Fault):
    """Answers all of it from head - n: [] for later ranges of logs, null for later blocks, unknown for later hashes."""

    methods = BY_HASH | BLOCK_ARGUMENT.keys() | {"eth_blockNumber", "eth_getBlockByNumber", "eth_getLogs", HEAD_PUSH}

    def __init__(self, blocks: int = 3) -> None:
        self._blocks = blocks
        self._held: list[Frame] = []

    async def view(self, node: Node) -> int:
        """Return the height that the node claims to be at."""
        return max(0, int(await node.ask("eth_blockNumber"), 16) - self._blocks)

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        view = await self.view(node)
        match call.method, call.params:
            case "eth_blockNumber", _:
                return result(hex(view))
            case "eth_getBlockByNumber", [tag, *rest]:
                number = await self._height(tag, view, node)
                return result(None) if number > view else await forward(Call(call.method, [hex(number), *rest]))
            case "eth_getLogs", [query]:
                return await self._logs(call, query, view, forward, node)
            case method, _ if method in BY_HASH:
                return await self._by_hash(call, view, forward)
            case method, _ if method in BLOCK_ARGUMENT:
                return await self._state(call, view, forward, node)
        return await forward(call)

    def push(self, frame: Frame) -> list[Frame]:
        """Hold new heads back as long as there are fewer than n newer ones."""
        self._held.append(frame)
        return [self._held.pop(0)] if len(self._held) > self._blocks else []

    async def _height(self, tag: Any, view: int, node: Node) -> int:
        """Return the height that a tag or number means at this view."""
        if tag in ("latest", "pending", None):
            return view
        if tag == "earliest":
            return 0
        if tag in ("safe", "finalized"):
            head = int(await node.ask("eth_blockNumber"), 16)
            block = await node.ask("eth_getBlockByNumber", tag, False)
            return max(0, view - (head - int(block["number"], 16)))
        return int(tag, 16)

    async def _by_hash(self, call: Call, view: int, forward: Forward) -> Answer:
        answer = await forward(call)
        found = answer.get("result")
        if not isinstance(found, dict):
            return answer
        number = found.get("number", found.get("blockNumber"))
        return result(None) if number is not None and int(number, 16) > view else answer

    async def _logs(self, call: Call, query: dict[str, Any], view: int, forward: Forward, node: Node) -> Answer:
        if "blockHash" in query:
            block = await node.ask("eth_getBlockByHash", query["blockHash"], False)
            return UNKNOWN_BLOCK if block is None or int(block["number"], 16) > view else await forward(call)
        first = await self._height(query.get("fromBlock"), view, node)
        last = min(view, await self._height(query.get("toBlock"), view, node))
        if first > last:
            return result([])
        return await forward(Call(call.method, [query | {"fromBlock": hex(first), "toBlock": hex(last)}]))

    async def _state(self, call: Call, view: int, forward: Forward, node: Node) -> Answer:
        place = BLOCK_ARGUMENT[call.method]
        params = [*call.params, *[None] * (place + 1 - len(call.params))]
        block = params[place]
        if isinstance(block, dict) and "blockHash" in block:
            found = await node.ask("eth_getBlockByHash", block["blockHash"], False)
            return NO_HEADER if found is None or int(found["number"], 16) > view else await forward(call)
        if call.method == "eth_getTransactionCount" and block == "pending":
            return await forward(call)  # transactions reach it as they reach everybody
        number = await self._height(block, view, node)
        if number > view:
            return NO_HEADER
        params[place] = hex(number)
        return await forward(Call(call.method, params))


class Rollback(Lag):
    """The head goes n blocks back and stays there as long as the fault lasts, as behind another load balancer."""

    def __init__(self, blocks: int = 3) -> None:
        super().__init__(blocks)
        self._view: int | None = None
        self._seen = 0

    async def view(self, node: Node) -> int:
        head = int(await node.ask("eth_blockNumber"), 16)
        if self._view is None or head - self._seen > self._blocks or head < self._seen:
            # first, or after a pause of the fault
            self._view = max(0, head - self._blocks)
        self._seen = head
        return self._view

    def push(self, frame: Frame) -> list[Frame]:
        return []


class WrongChainId(Fault):
    """Another chain's node behind the same address."""

    methods = only("eth_chainId", "net_version")

    def __init__(self, chain_id: int = 1) -> None:
        self._chain_id = chain_id

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        return result(hex(self._chain_id) if call.method == "eth_chainId" else str(self._chain_id))


class Hidden(Fault):
    """Methods that this node does not have."""

    def __init__(self, *methods: str) -> None:
        self.methods = only(*(methods or ("eth_feeHistory", "eth_subscribe", "eth_maxPriorityFeePerGas")))

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        return error(-32601, f"the method {call.method} does not exist/is not available")


class RangeLimit(Fault):
    """Refuses ranges of logs beyond so many blocks or results, in the words that many providers use."""

    methods = only("eth_getLogs")

    def __init__(self, results: int = 10, blocks: int = 20, code: int = -32602) -> None:
        self._results = results
        self._blocks = blocks
        self._code = code

    async def answer(self, call: Call, forward: Forward, node: Node) -> Answer:
        (query,) = call.params
        if "blockHash" in query:
            return await forward(call)
        head = await node.ask("eth_blockNumber")
        first, last = (int(head if query.get(key, "latest") == "latest" else query[key], 16) for key in QUERY_RANGE)
        answer = await forward(call)
        if last - first >= self._blocks or (len(answer.get("result", ())) > self._results and first < last):
            return error(self._code, "query returned more than 10000 results")
        return answer


QUERY_RANGE = ("fromBlock", "toBlock")

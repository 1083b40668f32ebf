"""What the exchange's logs tell and its storage does not keep: terms, versions, who bid where.

The index only says what exists and what to read; the state of everything is read from the chain at one block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.address import to_checksum_address

from moorage import terms
from moorage.chain import abi
from moorage.chain.market import Market
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc
from moorage.snapshot import Block
from moorage.types import (
    Address,
    ComputeUnit,
    DeploymentId,
    Group,
    OrderId,
    OrderKey,
    Parameters,
    ProviderNumber,
    ResourceGroup,
    Version,
)

LOG_RANGE_BLOCKS = 5_000


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    id: DeploymentId
    tenant: Address
    version: Version
    update_number: int


@dataclass(frozen=True, slots=True)
class OrderFacts:
    id: OrderId
    key: OrderKey
    group: Group
    created_block: int
    replaced: OrderId | None
    """The stale lease that this order was re-created for."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the exchange, for histories and live views."""

    block_number: int
    name: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class MarketFacts:
    """All that the logs up to one block tell."""

    parameters: Parameters
    deployments: dict[DeploymentId, DeploymentFacts] = field(default_factory=dict)
    orders: dict[OrderId, OrderFacts] = field(default_factory=dict)
    bidders: dict[OrderId, set[ProviderNumber]] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)

    def apply(self, happening: Happening) -> None:
        """Take one event in; events must come in the order of the chain."""
        arguments = happening.arguments
        match happening.name:
            case "DeploymentSubmitted":
                deployment = DeploymentId(arguments["deployment"])
                tenant = Address(to_checksum_address(arguments["tenant"]))
                self.deployments[deployment] = DeploymentFacts(deployment, tenant, Version(arguments["version"]), 1)
            case "DeploymentUpdated":
                facts = self.deployments[DeploymentId(arguments["deployment"])]
                self.deployments[facts.id] = replace(
                    facts, version=Version(arguments["version"]), update_number=arguments["update_number"]
                )
            case "OrderCreated":
                self._add_order(happening, _group(arguments["group"]))
            case "OrderRecreated":
                self._renew_order(happening)
            case "FulfillmentSubmitted":
                bidders = self.bidders.setdefault(OrderId(arguments["order"]), set())
                bidders.add(ProviderNumber(arguments["provider"]))
            case _:
                pass
        self.happenings.append(happening)

    def _add_order(self, happening: Happening, group: Group) -> None:
        arguments = happening.arguments
        nonce = terms.nonce_of(arguments["nonce"])
        deployment = DeploymentId(arguments["deployment"])
        key = terms.order_key(deployment, nonce, arguments["wait_duration"], group, self.parameters)
        order = OrderId(arguments["order"])
        self.orders[order] = OrderFacts(order, key, group, happening.block_number, None)

    def _renew_order(self, happening: Happening) -> None:
        order, replaced = OrderId(happening.arguments["order"]), OrderId(happening.arguments["replaced"])
        old = self.orders[replaced]
        key = replace(old.key, nonce=bytes(replaced))
        self.orders[order] = OrderFacts(order, key, old.group, happening.block_number, replaced)


def _group(row: Any) -> Group:
    name, regions, persist, resources = row
    return Group(
        name=name.rstrip(b"\0").decode("ascii", "replace"),
        regions=regions,
        persist=persist,
        resources=tuple(
            ResourceGroup(ComputeUnit(milli_cpu, memory, disk), price, collateral, count)
            for milli_cpu, memory, disk, price, collateral, count in resources
        ),
    )


class LogIndex:
    """Follows the exchange's logs block by block; after a reorganisation it reads them all again."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        self._rpc = rpc
        self._market = market
        self._abi = abi.load("Exchange")
        self._last: Block | None = None
        self._lock = asyncio.Lock()
        self.facts = MarketFacts(market.parameters)
        self.generation = 0
        """Grows with each reorganisation: what was concluded from earlier facts must be concluded anew."""

    async def follow(self, head: Block) -> None:
        """Bring the facts up to a block.

        Raises:
            NodeUnavailable: the node does not give the logs.
        """
        async with self._lock:  # two followers at once would take the same events in twice
            await self._follow(head)

    async def _follow(self, head: Block) -> None:
        if self._last is not None and not await self._is_canonical(self._last):
            self._last = None
            self.facts = MarketFacts(self._market.parameters)
            self.generation += 1
        if self._last is not None and head.number <= self._last.number:
            return  # the node, or a slower caller, is behind: what is known stays known
        start = self._market.first_block if self._last is None else self._last.number + 1
        pending: list[Happening] = []
        for first in range(start, head.number + 1, LOG_RANGE_BLOCKS):
            pending += await self._read(first, min(first + LOG_RANGE_BLOCKS - 1, head.number))
        for happening in pending:
            self.facts.apply(happening)
        self._last = head

    async def _is_canonical(self, block: Block) -> bool:
        try:
            found = await self._rpc.call("eth_getBlockByNumber", hex(block.number), False)
        except NodeRefused as error:
            raise NodeUnavailable(f"block {block.number} could not be read: {error}") from error
        return found is not None and bytes.fromhex(found["hash"][2:]) == block.hash

    async def _read(self, first: int, last: int) -> Iterable[Happening]:
        query = {"address": self._market.exchange, "fromBlock": hex(first), "toBlock": hex(last)}
        try:
            logs = await self._rpc.call("eth_getLogs", query)
        except NodeRefused as error:
            raise NodeUnavailable(f"logs of blocks {first} to {last} could not be read: {error}") from error
        return [happening for log in logs if (happening := self._happening(log)) is not None]

    def _happening(self, log: dict[str, Any]) -> Happening | None:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        decoded = self._abi.decode_event(topics, bytes.fromhex(log["data"][2:]))
        return None if decoded is None else Happening(int(log["blockNumber"], 16), *decoded)


async def read_block(rpc: Rpc, tag: str | int = "latest") -> Block:
    """Return a block by tag (`latest`, `finalized`) or number.

    Raises:
        NodeUnavailable: the node does not have it.
    """
    name = hex(tag) if isinstance(tag, int) else tag
    try:
        found = await rpc.call("eth_getBlockByNumber", name, False)
    except NodeRefused as error:
        raise NodeUnavailable(f"block {tag} could not be read: {error}") from error
    if found is None:
        raise NodeUnavailable(f"the node has no block {tag}")
    return Block(int(found["number"], 16), bytes.fromhex(found["hash"][2:]), int(found["timestamp"], 16))

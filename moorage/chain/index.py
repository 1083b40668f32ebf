"""What the exchange's logs tell and its storage does not keep: terms, versions, who bid where.

The index only says what exists and what to read; the state of everything is read from the chain at one block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.address import to_checksum_address

from moorage import terms
from moorage.chain import abi
from moorage.chain.logs import EventLog
from moorage.chain.logs import Happening as Happening
from moorage.chain.market import Market
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_bytes, as_number
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

RECENT_BLOCKS = 64
"""How many heights are remembered with their hashes, to tell a node that is behind from another branch."""


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    id: DeploymentId
    tenant: Address
    versions: tuple[Version, ...]
    """All that were submitted, the newest last."""
    update_number: int

    @property
    def version(self) -> Version:
        return self.versions[-1]


@dataclass(frozen=True, slots=True)
class OrderFacts:
    id: OrderId
    key: OrderKey
    group: Group
    created_block: int
    replaced: OrderId | None
    """The stale lease that this order was re-created for."""


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
                self.deployments[deployment] = DeploymentFacts(deployment, tenant, (Version(arguments["version"]),), 1)
            case "DeploymentUpdated":
                facts = self.deployments[DeploymentId(arguments["deployment"])]
                self.deployments[facts.id] = replace(
                    facts,
                    versions=(*facts.versions, Version(arguments["version"])),
                    update_number=arguments["update_number"],
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
        name=terms.decoded_name(name),
        regions=regions,
        persist=persist,
        resources=tuple(
            ResourceGroup(ComputeUnit(milli_cpu, memory, disk), price, collateral, count)
            for milli_cpu, memory, disk, price, collateral, count in resources
        ),
    )


class LogIndex:
    """Follows the exchange's logs block by block; after a reorganisation it reads them all again."""

    def __init__(self, rpc: Rpc, market: Market, keeps_history: bool = True) -> None:
        """
        Args:
            keeps_history: whether all events are kept; a daemon has no use for them, and they never end.
        """
        self._rpc = rpc
        self._market = market
        self._log = EventLog(rpc, market.exchange, abi.load("Exchange"))
        self._keeps_history = keeps_history
        self._last: Block | None = None
        self._recent: dict[int, bytes] = {}
        self._lock = asyncio.Lock()
        self.facts = MarketFacts(market.parameters)
        self.generation = 0
        """Grows when the facts are made anew: what was concluded from the earlier ones must be concluded anew."""

    @property
    def block(self) -> Block | None:
        """The newest block that the facts include; None before the first, or when they are distrusted."""
        return self._last

    def distrust(self) -> None:
        """Have all logs read again: they do not fit the state, so some were withheld or are of another branch."""
        self._last = None

    async def follow(self, head: Block) -> None:
        """Bring the facts up to a block. They are replaced as a whole, at the end.

        Raises:
            NodeUnavailable: the node does not give the logs, or not all of them.
        """
        async with self._lock:  # two followers at once would take the same events in twice
            await self._follow(head)

    async def _follow(self, head: Block) -> None:
        last = self._last
        if last is not None and await self._is_replaced(last, head):
            last = None
        if last is not None and head.number <= last.number:
            return  # the node, or a slower caller, is behind: what is known stays known
        first = self._market.first_block if last is None else last.number + 1
        # the newest block by its hash, and first: a node that lacks it must not pass for one without news
        newest = await self._log.of_block(head)
        happenings = await self._log.between(first, head.number - 1) + newest
        if last is None:
            self._start_anew(happenings)
        else:
            self._apply(self.facts, happenings)
        self._remember(head)

    def _start_anew(self, happenings: Sequence[Happening]) -> None:
        facts = MarketFacts(self._market.parameters)
        self._apply(facts, happenings)
        self.facts = facts
        self._recent.clear()
        self.generation += 1

    def _apply(self, facts: MarketFacts, happenings: Sequence[Happening]) -> None:
        try:
            for happening in happenings:
                facts.apply(happening)
        except KeyError as error:
            self.distrust()
            raise NodeUnavailable("the node withheld logs: an event is about something unknown") from error
        if not self._keeps_history:
            facts.happenings.clear()

    async def _is_replaced(self, last: Block, head: Block) -> bool:
        """Return whether another branch than that of `last` counts now."""
        found = await _find_block(self._rpc, last.number)
        if found is not None:
            return found.hash != last.hash
        # the node is behind what it had, or the chain has become shorter
        return self._recent.get(head.number) != head.hash

    def _remember(self, head: Block) -> None:
        self._last = head
        self._recent[head.number] = head.hash
        for number in [number for number in self._recent if number <= head.number - RECENT_BLOCKS]:
            del self._recent[number]


async def read_block(rpc: Rpc, tag: str | int = "latest") -> Block:
    """Return a block by tag (`latest`, `finalized`) or number.

    Raises:
        NodeUnavailable: the node does not have it.
    """
    found = await _find_block(rpc, tag)
    if found is None:
        raise NodeUnavailable(f"the node has no block {tag}")
    return found


async def _find_block(rpc: Rpc, tag: str | int) -> Block | None:
    try:
        found = await rpc.call("eth_getBlockByNumber", hex(tag) if isinstance(tag, int) else tag, False)
    except NodeRefused as error:
        raise NodeUnavailable(f"block {tag} could not be read: {error}") from error
    if found is None:
        return None
    try:
        return Block(as_number(found["number"]), as_bytes(found["hash"]), as_number(found["timestamp"]))
    except (KeyError, TypeError) as error:
        raise NodeUnavailable(f"the node answered something that is no block {tag}") from error

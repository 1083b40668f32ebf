"""Reads a market as a snapshot at one block hash: the logs say what to read, the storage says how it is.

A snapshot is made of the one before: only what logs have touched is read again, and a few of the others in turn, so
that an event that a node has withheld is made good for after a while.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import structlog

from moorage.agenda import Agenda
from moorage.chain.contracts import DeploymentWord, Exchange, OrderWord
from moorage.chain.index import RECENT_BLOCKS, LogIndex, read_block
from moorage.chain.market import Market
from moorage.chain.rpc import ChainError, NodeUnavailable, Rpc
from moorage.snapshot import Block, Snapshot, Touched
from moorage.terms import collateral, max_charge_of
from moorage.types import (
    Deployment,
    DeploymentId,
    DeploymentState,
    Fulfillment,
    Lease,
    Order,
    OrderId,
    OrderState,
    Parameters,
    ProviderNumber,
)
from moorage.versioned import Versioned

LIVE_LEASES = (OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING)
IN_TURN = 8
"""So many orders and leases are read again at each block though nothing was told of them."""

log = structlog.get_logger(__name__)

Id = TypeVar("Id", OrderId, DeploymentId)


@dataclass(frozen=True)
class _State:
    """What lives, as the last snapshot had it."""

    deployments: Versioned[DeploymentId, Deployment] = field(default_factory=Versioned)
    orders: Versioned[OrderId, Order] = field(default_factory=Versioned)
    leases: Versioned[OrderId, Lease] = field(default_factory=Versioned)
    leased_orders: Versioned[OrderId, Order] = field(default_factory=Versioned)
    fulfillments: Versioned[OrderId, Fulfillment] = field(default_factory=Versioned)
    unclaimed: Versioned[OrderId, Lease] = field(default_factory=Versioned)

    def __contains__(self, order: OrderId) -> bool:
        """Return whether an order is not over: it is open or a lease, or holds something for its provider."""
        return any(order in each for each in (self.orders, self.leases, self.unclaimed, self.fulfillments))


@dataclass
class _Answers:
    """What was read of a block."""

    deployments: dict[DeploymentId, DeploymentWord] = field(default_factory=dict)
    orders: dict[OrderId, OrderWord] = field(default_factory=dict)
    leases: dict[OrderId, Lease] = field(default_factory=dict)
    fulfillments: list[Fulfillment] = field(default_factory=list)


class MarketUnreadable(NodeUnavailable):
    """There is a newest block, and the market as of it could not be read, or contradicts itself."""

    def __init__(self, message: str, block: Block) -> None:
        super().__init__(message)
        self.block = block


class MarketReader:
    """Gives snapshots of one market."""

    def __init__(
        self,
        rpc: Rpc,
        market: Market,
        provider: ProviderNumber | None = None,
        patience_seconds: float = math.inf,
    ) -> None:
        """
        Args:
            rpc: the node.
            market: whose exchange is read.
            provider: whose fulfillments the snapshots hold, if anyone's.
            patience_seconds: how long a snapshot may read a long history; the next one reads on.
        """
        self._rpc = rpc
        self._market = market
        self._provider = provider
        self.exchange = Exchange(rpc, market)
        self.index = LogIndex(rpc, market, keeps_history=False, patience_seconds=patience_seconds)
        self._state = _State()
        self._waiting: Touched | None = None
        self._turn: deque[OrderId] = deque()
        self._in_turn: set[OrderId] = set()  # the same
        self._matches: Agenda[OrderId] = Agenda()  # of orders with a bid of ours
        # what has ended, by the step of the index after which nothing can bring it back
        self._ended_orders: Agenda[OrderId] = Agenda()
        self._ended_deployments: Agenda[DeploymentId] = Agenda()

    async def snapshot(self) -> Snapshot:
        """Return the market at the newest block.

        Raises:
            MarketUnreadable: the node told its newest block, and not everything of it; nothing may be concluded.
            NodeUnavailable: it did not even tell its newest block.
        """
        head = await read_block(self._rpc)
        try:
            return await self._at(head)
        except NodeUnavailable as error:
            raise MarketUnreadable(str(error), head) from error

    async def _at(self, head: Block) -> Snapshot:
        await self.index.follow(head)
        if self.index.block != head:
            self._rpc.distrust()
            raise NodeUnavailable(f"the node is behind what it said before: its newest block is {head.number}")
        self._note(self.index.take_touched())
        touched = self._waiting
        orders, deployments = self._to_read(head, touched)
        answers, _ = await asyncio.gather(self._read(head, orders, deployments), self.index.second_look.look(head))
        withheld = self.index.second_look.withheld
        if withheld is not None:
            self.distrust()
            raise NodeUnavailable(f"the node withheld logs of block {withheld.number}: reading all logs again")
        await self._check_ends(head, answers.orders)
        state = self._updated(touched is None, answers, orders, deployments)
        self._check_groups(state, deployments)
        self._take_over(state, orders, deployments)
        read = Touched(frozenset(orders), frozenset(deployments))
        return self._snapshot(head, read if touched is not None else None)

    @property
    def parameters(self) -> Parameters:
        return self._market.parameters

    def distrust(self) -> None:
        """Have all logs read again at the next block: some were withheld."""
        self.index.distrust()
        self._waiting = None

    def reconcile(self) -> None:
        """Have everything that lives read again at the next block."""
        log.info("everything is read again")
        self._waiting = None

    def _note(self, touched: Touched | None) -> None:
        """Remember what has to be read until it was: a block that could not be read whole is not lost."""
        self._waiting = None if touched is None or self._waiting is None else self._waiting | touched

    def _to_read(self, head: Block, touched: Touched | None) -> tuple[set[OrderId], set[DeploymentId]]:
        if touched is None:
            return set(self.index.facts.orders), set(self.index.facts.deployments)
        # a match that a provider misses would be slashed
        orders = {*touched.orders, *islice(self._turn, IN_TURN), *self._matches.due(head.number)}
        facts = self.index.facts.orders
        deployments = {facts[order].key.deployment for order in orders if order in facts}
        return orders, {*touched.deployments, *deployments}

    async def _read(self, head: Block, orders: Collection[OrderId], deployments: Collection[DeploymentId]) -> _Answers:
        facts, exchange, provider = self.index.facts, self.exchange, self._provider
        known = [order for order in orders if order in facts.orders]
        named = [each for each in deployments if each in facts.deployments]
        ours = [order for order in known if provider is not None and provider in facts.bidders.get(order, ())]
        words, deployment_words, bids = await asyncio.gather(
            exchange.orders(head, known),
            exchange.deployments(head, named),
            exchange.locked_bids(head, provider or ProviderNumber(0), ours),
        )
        answers = _Answers()
        for order, word in zip(known, words, strict=True):
            if word is None or word.bid_count > len(facts.bidders.get(order, ())):
                raise self._contradiction(f"order 0x{order.hex()}")
            answers.orders[order] = word
        for each, found in zip(named, deployment_words, strict=True):
            number = facts.deployments[each].update_number
            if found is None or (found.update_number != number and found.state is not DeploymentState.CLOSED):
                raise self._contradiction(f"deployment 0x{each.hex()}")
            answers.deployments[each] = found
        for order, bid in zip(ours, bids, strict=True):
            if bid is not None:
                answers.fulfillments.append(Fulfillment(order, bid.provider, bid.charge_per_block, bid.collateral))
        answers.leases = await self._leases(head, answers.orders)
        return answers

    async def _leases(self, head: Block, orders: Mapping[OrderId, OrderWord]) -> dict[OrderId, Lease]:
        asked = [order for order, word in orders.items() if word.state in LIVE_LEASES]
        if self._provider is not None:  # what a stale lease holds for its provider has to be claimed
            asked += [order for order, word in orders.items() if word.state is OrderState.LEASE_STALE]
        leases: dict[OrderId, Lease] = {}
        for order, lease in zip(asked, await self.exchange.leases(head, asked), strict=True):
            if lease is None:
                raise NodeUnavailable("a lease is in one view of the block and not in another")
            leases[order] = lease
        return leases

    def _updated(
        self, is_anew: bool, answers: _Answers, orders: Collection[OrderId], deployments: Collection[DeploymentId]
    ) -> _State:
        old = _State() if is_anew else self._state
        words, leases = answers.orders, answers.leases
        opened = {order for order, word in words.items() if word.state is OrderState.OPEN}
        leased = {order for order, word in words.items() if word.state in LIVE_LEASES}
        holding = {
            order
            for order, lease in leases.items()
            if lease.state is OrderState.LEASE_STALE and lease.provider == self._provider and lease.unclaimed
        }
        living = {
            each: self._deployment(each, word)
            for each, word in answers.deployments.items()
            if word.state is not DeploymentState.CLOSED
        }
        return _State(
            deployments=old.deployments.replaced(deployments, living),
            orders=old.orders.replaced(orders, {order: self._order(order, words[order]) for order in opened}),
            leases=old.leases.replaced(orders, {order: leases[order] for order in leased}),
            leased_orders=old.leased_orders.replaced(orders, {order: self._order(order, None) for order in leased}),
            fulfillments=old.fulfillments.replaced(orders, {bid.order: bid for bid in answers.fulfillments}),
            unclaimed=old.unclaimed.replaced(orders, {order: leases[order] for order in holding}),
        )

    def _check_groups(self, state: _State, deployments: Iterable[DeploymentId]) -> None:
        """Compare what the logs have told with what the storage counts: a withheld log would be a forgotten lease."""
        for each in deployments:
            deployment = state.deployments.get(each)
            members = self.index.facts.orders_of.get(each, ())
            live = sum(order in state.orders or order in state.leases for order in members)
            if live != (deployment.live_groups if deployment is not None else 0):
                raise self._contradiction(f"live groups of deployment 0x{each.hex()}")

    async def _check_ends(self, head: Block, words: Mapping[OrderId, OrderWord]) -> None:
        """Ask another node too before a lease of the provider counts as over: who stops confirming can be slashed."""
        over = [
            order
            for order, word in words.items()
            if word.state is not OrderState.LEASE_ACTIVE and self._is_confirmed(self._state.leases.get(order))
        ]
        for node in self._rpc.others if over else ():
            try:
                found = await Exchange(node, self._market).orders(head, over)
            except ChainError as error:
                log.warning("ends of leases not compared", node=node.name, reason=str(error))
                continue
            if any(word is not None and word.state is OrderState.LEASE_ACTIVE for word in found):
                self._rpc.distrust()
                raise NodeUnavailable(f"{node.name} says that a lease is active which another node says is over")
            return

    def _is_confirmed(self, lease: Lease | None) -> bool:
        return lease is not None and lease.state is OrderState.LEASE_ACTIVE and lease.provider == self._provider

    def _contradiction(self, what: str) -> NodeUnavailable:
        self.distrust()
        return NodeUnavailable(f"logs and state do not agree on {what}: reading all logs again")

    def _take_over(self, state: _State, orders: Iterable[OrderId], deployments: Iterable[DeploymentId]) -> None:
        """Make what was read the present state; what ended so long ago that nothing can bring it back is forgotten."""
        self._state, self._waiting = state, Touched()
        over = self.index.steps_made + RECENT_BLOCKS + 1
        for order in orders:
            open_order = state.orders.get(order) if order in state.fulfillments else None
            self._matches.set(order, open_order.match_block if open_order else None)
            _note_end(self._ended_orders, order, order in state, over)
        for each in deployments:
            _note_end(self._ended_deployments, each, each in state.deployments, over)
        self._pass_turn(state, orders)
        facts, now = self.index.facts, self.index.steps_made
        for order in self._ended_orders.due(now):
            facts.forget_order(order)
            self._ended_orders.set(order, None)
        for each in self._ended_deployments.due(now):
            facts.forget_deployment(each)
            self._ended_deployments.set(each, None)

    def _pass_turn(self, state: _State, orders: Iterable[OrderId]) -> None:
        """Let those whose turn it was queue up again, and what is new behind them."""
        passed = [self._turn.popleft() for _ in range(min(IN_TURN, len(self._turn)))]
        self._in_turn.difference_update(passed)
        for order in (*passed, *orders):
            lease = state.leases.get(order)
            is_watched = order in state.orders or order in state.unclaimed
            if lease is not None:  # of the leases, a provider looks after its own
                is_watched = self._provider in (None, lease.provider)
            if is_watched and order not in self._in_turn:
                self._turn.append(order)
                self._in_turn.add(order)

    def _snapshot(self, head: Block, touched: Touched | None) -> Snapshot:
        state = self._state
        return Snapshot(
            block=head,
            parameters=self._market.parameters,
            deployments=state.deployments,
            orders=state.orders,
            leases=state.leases,
            leased_orders=state.leased_orders,
            fulfillments=state.fulfillments,
            unclaimed=tuple(state.unclaimed),
            touched=touched,
        )

    def _deployment(self, deployment: DeploymentId, word: DeploymentWord) -> Deployment:
        return Deployment(
            id=deployment,
            tenant=word.tenant,
            state=word.state,
            live_groups=word.live_groups,
            wait_duration_blocks=word.wait_duration_blocks,
            update_number=word.update_number,
            version=self.index.facts.deployments[deployment].version,
        )

    def _order(self, order: OrderId, word: OrderWord | None) -> Order:
        facts = self.index.facts.orders[order]
        return Order(
            id=order,
            key=facts.key,
            group=facts.group,
            created_block=facts.created_block,
            match_block=word.match_block if word else 0,
            max_charge_per_block=max_charge_of(facts.key),
            collateral=collateral(facts.group),
            excluded_provider=word.excluded_provider if word else None,
            state=word.state if word else OrderState.LEASE_ACTIVE,
            deposit=word.deposit if word else 0,
            bid_count=word.bid_count if word else 0,
        )


def _note_end(agenda: Agenda[Id], item: Id, lives: bool, over: int) -> None:
    """Note when something that has ended is over for good; of what had ended before more may be told."""
    if lives:
        agenda.set(item, None)
    elif item not in agenda:
        agenda.set(item, over)

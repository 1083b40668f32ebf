"""Reads what anyone may move on at one block: the whole market, or what is named by ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cli.core.cranks import CONCERNED, Crank, DeploymentItem, Item, OrderItem
from cli.core.identifiers import NotAnId, beginning_with, digits_of
from cli.failures import ExitStatus, Failure
from moorage.chain.contracts import Exchange, OrderWord
from moorage.chain.index import LogIndex, read_block
from moorage.chain.market import Market
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.snapshot import Block
from moorage.types import DeploymentId, Lease, OrderId, OrderState, ProviderNumber

LEASED = (OrderState.LEASE_ACTIVE, OrderState.LEASE_STALE, OrderState.LEASE_CLOSING, OrderState.LEASE_CLOSED)


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked at, and the block."""

    block: Block
    items: tuple[Item, ...]


class CrankReader:
    """Gives what a command is about; the logs say what there is, the storage how it is."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        self._rpc = rpc
        self._exchange = Exchange(rpc, market)
        self._index = LogIndex(rpc, market, keeps_history=False)

    async def named(self, crank: Crank, identifiers: Sequence[str]) -> Found:
        """Return what is meant by ids or their first digits, at the newest block.

        Raises:
            Failure: nothing has such an id, or several things have.
            NodeUnavailable: the node did not answer everything.
        """
        block = await self._follow()
        facts = self._index.facts
        orders: dict[OrderId, None] = {}
        deployments: dict[DeploymentId, None] = {}
        for identifier in identifiers:
            digits = _digits(identifier)
            leases = beginning_with(digits, facts.orders)
            owners = beginning_with(digits, facts.deployments)
            _check_one(crank, identifier, leases, owners)
            orders |= dict.fromkeys(leases)
            deployments |= dict.fromkeys(owners)
        words = await self._words(block, list(orders))
        return Found(block, (*await self._orders(crank, block, words), *await self._deployments(block, deployments)))

    async def all(self, crank: Crank) -> Found:
        """Return all of the market that a command is about, at the newest block.

        Raises:
            NodeUnavailable: the node did not answer everything.
        """
        block = await self._follow()
        facts = self._index.facts
        words = await self._words(block, list(facts.bidders if crank is Crank.RELEASE else facts.orders))
        living = {order: word for order, word in words.items() if word.state in CONCERNED[crank]}
        orders = await self._orders(crank, block, living)
        deployments = await self._deployments(block, facts.deployments) if crank is Crank.FINISH else []
        return Found(block, (*orders, *deployments))

    async def _follow(self) -> Block:
        block = await read_block(self._rpc)
        await self._index.follow(block)
        return block

    async def _words(self, block: Block, orders: Sequence[OrderId]) -> dict[OrderId, OrderWord]:
        words = {}
        for order, word in zip(orders, await self._exchange.orders(block, orders), strict=True):
            if word is None:
                raise NodeUnavailable(f"logs and state of order 0x{order.hex()} do not agree")
            words[order] = word
        return words

    async def _orders(self, crank: Crank, block: Block, words: Mapping[OrderId, OrderWord]) -> list[OrderItem]:
        leased = [order for order, word in words.items() if word.state in LEASED]
        leases = dict(zip(leased, await self._exchange.leases(block, leased), strict=True))
        losers = await self._losers(block, leases, words) if crank is Crank.RELEASE else {}
        return [
            OrderItem(
                id=order,
                key=self._index.facts.orders[order].key,
                group=self._index.facts.orders[order].group.name,
                state=word.state,
                match_block=word.match_block,
                bid_count=word.bid_count,
                lease=leases.get(order),
                losers=tuple(losers.get(order, ())),
            )
            for order, word in words.items()
        ]

    async def _losers(
        self, block: Block, leases: Mapping[OrderId, Lease | None], orders: Iterable[OrderId]
    ) -> dict[OrderId, list[ProviderNumber]]:
        """Return whose collateral is locked by a bid that has not won."""
        bids = [
            (order, provider)
            for order in orders
            for provider in sorted(self._index.facts.bidders.get(order, ()))
            if not _has_won(leases.get(order), provider)
        ]
        losers: dict[OrderId, list[ProviderNumber]] = {}
        for (order, provider), is_locked in zip(bids, await self._exchange.is_locked(block, bids), strict=True):
            if is_locked:
                losers.setdefault(order, []).append(provider)
        return losers

    async def _deployments(self, block: Block, deployments: Iterable[DeploymentId]) -> list[DeploymentItem]:
        ids = list(deployments)
        words = await self._exchange.deployments(block, ids)
        pairs = zip(ids, words, strict=True)
        return [DeploymentItem(each, word.state, word.live_groups) for each, word in pairs if word is not None]


def _has_won(lease: Lease | None, provider: ProviderNumber) -> bool:
    return lease is not None and lease.provider == provider


def _digits(identifier: str) -> str:
    try:
        return digits_of(identifier)
    except NotAnId as error:
        raise Failure(ExitStatus.USAGE, str(error)) from None


def _check_one(crank: Crank, identifier: str, orders: Sequence[OrderId], owners: Sequence[DeploymentId]) -> None:
    """Raise if an id names nothing that a command is about, or more than one thing."""
    if len(orders) + (len(owners) if crank is Crank.FINISH else 0) == 1:
        return
    if owners and not orders:
        text = f"{identifier} is a deployment: `moorage status --deployment {identifier}` shows its orders and leases"
    elif orders:
        text = f"{identifier}: several ids begin so, give more digits"
    else:
        text = f"{identifier}: no order or lease of this market has this id"
    raise Failure(ExitStatus.USAGE, text)

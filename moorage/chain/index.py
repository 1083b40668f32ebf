"""Follows the exchange's logs block by block along the chain of parent hashes; a reorganisation takes back its part."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from moorage.chain import abi
from moorage.chain.facts import READ_WHOLE, MarketFacts, Undo
from moorage.chain.logs import RANGE_BLOCKS, EventLog, Happening
from moorage.chain.market import Market
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_bytes, as_number
from moorage.chain.second_look import SecondLook
from moorage.snapshot import Block, Touched

RECENT_BLOCKS = 64
"""So many of the blocks that were followed can be taken back; a deeper reorganisation has all logs read again."""


class _Header(msgspec.Struct, rename="camel"):
    """What is read of a block."""

    number: str
    hash: str
    timestamp: str
    parent_hash: str


@dataclass(frozen=True, slots=True)
class _Step:
    """A block that was followed, and how to take back what it and the blocks since the step before have told."""

    block: Block
    touched: Touched
    undo: tuple[Undo, ...]


class LogIndex:
    """The facts up to one block."""

    def __init__(
        self, rpc: Rpc, market: Market, keeps_history: bool = True, patience_seconds: float = math.inf
    ) -> None:
        """
        Args:
            keeps_history: whether all events are kept.
            patience_seconds: how long a history is read at a time; the next time it is read on.
        """
        self._rpc = rpc
        self._market = market
        whole = None if keeps_history else READ_WHOLE
        self._log = EventLog(rpc, market.exchange, abi.load("Exchange"), whole)
        self._keeps_history = keeps_history
        self._patience_seconds = patience_seconds
        self._old: list[Happening] = []  # of a history of which not everything is read
        self._unread_block = market.first_block
        self.second_look = SecondLook(self._log)
        self._steps: list[_Step] = []
        self._lock = asyncio.Lock()
        self._touched: Touched | None = None
        self.steps_made = 0
        """Grows with each block that is followed."""
        self.reorganisations = 0
        """How often blocks were taken back."""
        self.facts = MarketFacts(market.parameters, keeps_history)

    @property
    def block(self) -> Block | None:
        """The newest block that the facts include; None before the first, or when they are distrusted."""
        return self._steps[-1].block if self._steps else None

    def distrust(self) -> None:
        """Have all logs read again: they do not fit the state, so some were withheld or are of another branch."""
        self._steps.clear()
        self._touched = None
        self._forget_old()
        self._rpc.distrust()

    def take_touched(self) -> Touched | None:
        """Return what the logs since the last time are about, those that were taken back included; None: everything."""
        touched, self._touched = self._touched, Touched()
        return touched

    async def follow(self, head: Block) -> None:
        """Bring the facts up to a block.

        Raises:
            NodeUnavailable: the node does not give the logs, or not all of them.
        """
        async with self._lock:  # two followers at once would take the same events in twice
            last = self.block
            if last is None:
                await self._start_anew(head)
            elif head.hash != last.hash and not self._is_known(head):
                await self._go_on(last, head)

    def _is_known(self, head: Block) -> bool:
        """Return whether the node, or a slower caller, is behind: what is known stays known."""
        return any(step.block.hash == head.hash for step in self._steps)

    async def _go_on(self, last: Block, head: Block) -> None:
        ancestor = last if head.parent_hash == last.hash else await self._ancestor(last, head)
        if ancestor is None:
            await self._start_anew(head)
            return
        told = await self._told(ancestor, head)
        self._take_back_to(ancestor)
        first = ancestor.number + 1
        for block, happenings in told:
            self._apply(block, happenings)
            self.second_look.note(first, block, happenings)
            first = block.number + 1
        del self._steps[:-RECENT_BLOCKS]

    async def _ancestor(self, last: Block, head: Block) -> Block | None:
        """Return the newest block that was followed and is on the branch of the head, as far as the node shows it."""
        steps = [step.block for step in self._steps if step.block.number < head.number]
        # most often the blocks in between are just new
        if last.number < head.number and (await read_block(self._rpc, last.number)).hash == last.hash:
            return last
        there_all = await _headers(self._rpc, [block.number for block in steps])
        return next(
            (
                block
                for block, there in zip(reversed(steps), reversed(there_all), strict=True)
                if there.hash == block.hash
            ),
            None,
        )

    async def _told(self, ancestor: Block, head: Block) -> list[tuple[Block, list[Happening]]]:
        """Return the events after one block up to another, with the blocks they belong to."""
        gap = range(ancestor.number + 1, head.number)
        if len(gap) < RECENT_BLOCKS:
            path = [*await _headers(self._rpc, gap), head]
            _check_links(ancestor, path)
            return list(zip(path, await self._log.of_blocks(path), strict=True))
        return [(head, await self._range(gap.start, head))]

    async def _range(self, first: int, head: Block) -> list[Happening]:
        # the newest block by its hash, and first: a node that lacks it must not pass for one without news
        (newest,) = await self._log.of_blocks([head])
        return await self._log.between(first, head.number - 1) + newest

    async def _start_anew(self, head: Block) -> None:
        await self._read_old(head)
        happenings = self._old + await self._range(self._unread_block, head)
        self._forget_old()
        self.facts = MarketFacts(self._market.parameters, self._keeps_history)
        self._steps.clear()
        self.second_look.forget()
        self._apply(head, happenings)
        self.second_look.note(self._market.first_block, head, happenings)
        self._touched = None

    async def _read_old(self, head: Block) -> None:
        """Read what no reorganisation takes back; what was read is kept, whatever ends this."""
        last = head.number - RECENT_BLOCKS
        if self._unread_block <= last:
            await self._log.of_blocks([head])  # a node that lacks it must not pass for one without old logs
        clock = asyncio.get_running_loop().time
        until = clock() + self._patience_seconds
        while self._unread_block <= last:
            end = min(self._unread_block + RANGE_BLOCKS - 1, last)
            found = await self._log.between(self._unread_block, end)
            self._old += found
            self._unread_block = end + 1
            if end < last and clock() >= until:
                raise NodeUnavailable(f"the market's history is read up to block {end} of {last}: reading on")

    def _forget_old(self) -> None:
        self._old, self._unread_block = [], self._market.first_block

    def _take_back_to(self, ancestor: Block) -> None:
        if self._steps and self._steps[-1].block.hash != ancestor.hash:
            self.reorganisations += 1
        while self._steps and self._steps[-1].block.hash != ancestor.hash:
            step = self._steps.pop()
            for undo in step.undo:
                undo()
            self._note(step.touched)
            self.second_look.forget(ancestor.number)

    def _apply(self, block: Block, happenings: Sequence[Happening]) -> None:
        try:
            touched = self.facts.apply(happenings)
        except KeyError as error:
            self.distrust()
            raise NodeUnavailable("the node withheld logs: an event is about something unknown") from error
        self._note(touched)
        self._steps.append(_Step(block, touched, self.facts.take_undo()))
        self.steps_made += 1

    def _note(self, touched: Touched) -> None:
        self._touched = None if self._touched is None else self._touched | touched


def _check_links(ancestor: Block, path: Sequence[Block]) -> None:
    for parent, child in zip([ancestor, *path], path, strict=False):
        if child.parent_hash != parent.hash:
            raise NodeUnavailable(f"the node shows blocks {parent.number} and {child.number} of different branches")


async def read_block(rpc: Rpc, tag: str | int = "latest") -> Block:
    """Return a block by tag (`latest`, `finalized`) or number.

    Raises:
        NodeUnavailable: the node does not have it.
    """
    try:
        found = await rpc.call("eth_getBlockByNumber", *_wanted(tag), kind=_Header | None)
    except NodeRefused as error:
        raise NodeUnavailable(f"block {tag} could not be read: {error}") from error
    return _block(tag, found)


async def _headers(rpc: Rpc, numbers: Sequence[int]) -> list[Block]:
    try:
        answers = await rpc.batch([("eth_getBlockByNumber", _wanted(number)) for number in numbers], _Header | None)
    except NodeRefused as error:
        raise NodeUnavailable(f"blocks from {numbers[0]} on could not be read: {error}") from error
    return [_block(number, found) for number, found in zip(numbers, answers, strict=True)]


def _wanted(tag: str | int) -> tuple[str, bool]:
    return hex(tag) if isinstance(tag, int) else tag, False


def _block(tag: Any, found: _Header | None) -> Block:
    if found is None:
        raise NodeUnavailable(f"the node has no block {tag}")
    number = as_number(found.number)
    if isinstance(tag, int) and number != tag:
        raise NodeUnavailable(f"the node answered block {number} for block {tag}")
    return Block(number, as_bytes(found.hash), as_number(found.timestamp), as_bytes(found.parent_hash))

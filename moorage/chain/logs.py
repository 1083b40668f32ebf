"""Reads a contract's events in pieces that the node is willing to give; an answer that cannot be right is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from eth_abi.exceptions import DecodingError

from moorage.chain.abi import Abi, Event
from moorage.chain.pinned import read_pinned
from moorage.chain.rpc import LimitExceeded, NodeRefused, NodeUnavailable, Rpc, as_bytes, as_number
from moorage.snapshot import Block
from moorage.types import Address

RANGE_BLOCKS = 5_000
TOPIC_CHARACTERS = 66


class Happening(msgspec.Struct, frozen=True, gc=False):
    """One event of a contract."""

    block_number: int
    name: str
    arguments: dict[str, Any]


class _Log(msgspec.Struct, rename="camel", gc=False):
    """An entry of eth_getLogs."""

    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str


class EventLog:
    """The events of one contract."""

    def __init__(self, rpc: Rpc, address: Address, abi: Abi, whole: Collection[str] | None = None) -> None:
        """
        Args:
            whole: names of events; of all others only indexed ids and numbers are read. None: all are read whole.
        """
        self._rpc = rpc
        self._address = address
        self._abi = abi
        self._written = {address, address.lower()}  # the ways in which nodes write it
        self._skims = {
            f"0x{event.topic.hex()}": (event.name, _skim(event))
            for event in abi.events.values()
            if whole is not None and event.name not in whole
        }

    async def between(self, first: int, last: int, *topics: bytes | None) -> list[Happening]:
        """Return the events of some blocks, the oldest first.

        Args:
            first: a height.
            last: a height; included.
            topics: the name's and those of indexed arguments that they must have; None is any.

        Raises:
            NodeUnavailable: the node does not give them.
        """
        happenings: list[Happening] = []
        for start in range(first, last + 1, RANGE_BLOCKS):
            happenings += await self._range(start, min(start + RANGE_BLOCKS - 1, last), _written(topics))
        return happenings

    async def of_blocks(self, blocks: Sequence[Block]) -> list[list[Happening]]:
        """Return the events of each of some blocks; a node that lacks one says so, instead of giving none.

        Raises:
            NodeUnavailable: the node does not give them.
        """
        queries = [{"address": self._address, "blockHash": f"0x{block.hash.hex()}"} for block in blocks]
        try:
            answers = await read_pinned(self._rpc, [("eth_getLogs", [query]) for query in queries], list[_Log])
        except NodeRefused as error:
            where = f"{blocks[0].number} to {blocks[-1].number}"
            raise NodeUnavailable(f"logs of blocks {where} could not be read: {error}") from error
        return [self._of_block(logs, block) for logs, block in zip(answers, blocks, strict=True)]

    def topic(self, event: str) -> bytes:
        """Return the topic of an event's name."""
        return next(entry.topic for entry in self._abi.events.values() if entry.name == event)

    async def _range(self, first: int, last: int, topics: list[str | None]) -> list[Happening]:
        query: dict[str, Any] = {"address": self._address, "fromBlock": hex(first), "toBlock": hex(last)}
        if topics:
            query["topics"] = topics
        try:
            logs = await self._rpc.call("eth_getLogs", query, kind=list[_Log])
        except (NodeRefused, LimitExceeded) as error:
            if first == last:
                raise NodeUnavailable(f"logs of block {first} could not be read: {error}") from error
        else:
            return self._decoded(logs, first, last)
        # many nodes limit blocks or events of one answer
        middle = (first + last) // 2
        return await self._range(first, middle, topics) + await self._range(middle + 1, last, topics)

    def _of_block(self, logs: list[_Log], block: Block) -> list[Happening]:
        expected = f"0x{block.hash.hex()}"
        if any(log.block_hash != expected for log in logs):
            raise NodeUnavailable("the node answered logs of another block than was asked for")
        return self._decoded(logs, block.number, block.number)

    def _decoded(self, logs: list[_Log], first: int, last: int) -> list[Happening]:
        heights: dict[str, int] = {}  # there are few, and many logs
        try:
            found = [self._happening(log, heights) for log in logs]
        except (DecodingError, ValueError) as error:
            raise NodeUnavailable(f"the node answered something that is no list of logs: {error!r}") from error
        if any(not first <= height <= last for height in heights.values()):
            raise NodeUnavailable("the node answered logs of other blocks than were asked for")
        return [happening for happening in found if happening is not None]

    def _happening(self, log: _Log, heights: dict[str, int]) -> Happening | None:
        if log.address not in self._written and log.address.lower() not in self._written:
            raise ValueError("logs of another contract")
        height = heights.get(log.block_number)
        if height is None:
            height = heights[log.block_number] = as_number(log.block_number)
        skim = self._skims.get(log.topics[0]) if log.topics else None
        if skim is not None:
            return Happening(height, skim[0], skim[1](log.topics))
        decoded = self._abi.decode_event([as_bytes(topic) for topic in log.topics], as_bytes(log.data))
        return None if decoded is None else Happening(height, *decoded)


def _word(topic: str) -> bytes:
    if len(topic) != TOPIC_CHARACTERS:
        raise ValueError("a topic has 32 bytes")
    return bytes.fromhex(topic[2:])


def _number(topic: str) -> int:
    return int.from_bytes(_word(topic), "big")


fromhex = bytes.fromhex
_TOPICS: dict[str, Callable[[str], Any]] = {"bytes32": _word, "uint256": _number}
"""How ids and numbers are read of events of which nobody wants more."""


def _skim(event: Event) -> Callable[[list[str]], dict[str, Any]]:
    """Return what reads the indexed arguments of an event."""
    names, kinds = zip(*event.indexed, strict=True)
    if kinds == ("bytes32", "uint256"):  # that of bids: there are more of them than of all others
        first_name, second_name = names

        def read_two(topics: list[str]) -> dict[str, Any]:
            _, first, second = topics
            if not len(first) == len(second) == TOPIC_CHARACTERS:
                raise ValueError("a topic has 32 bytes")
            return {first_name: fromhex(first[2:]), second_name: int(second, 16)}

        return read_two
    readers = [(name, _TOPICS[kind], at) for at, (name, kind) in enumerate(event.indexed, 1) if kind in _TOPICS]
    length = len(event.indexed) + 1

    def read(topics: list[str]) -> dict[str, Any]:
        if len(topics) != length:
            raise ValueError(f"{len(topics)} topics where {length} belong")
        return {name: read_topic(topics[at]) for name, read_topic, at in readers}

    return read


def _written(topics: Sequence[bytes | None]) -> list[str | None]:
    return [None if topic is None else f"0x{topic.hex()}" for topic in topics]

"""Reads a contract's events in pieces that the node is willing to give; an answer that cannot be right is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError

from moorage.chain.abi import Abi
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_bytes, as_number
from moorage.snapshot import Block
from moorage.types import Address

RANGE_BLOCKS = 5_000


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a contract."""

    block_number: int
    name: str
    arguments: dict[str, Any]


class EventLog:
    """The events of one contract."""

    def __init__(self, rpc: Rpc, address: Address, abi: Abi) -> None:
        self._rpc = rpc
        self._address = address
        self._abi = abi

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

    async def of_block(self, block: Block) -> list[Happening]:
        """Return the events of one block; a node that lacks it says so, instead of giving none.

        Raises:
            NodeUnavailable: the node does not give them.
        """
        query = {"address": self._address, "blockHash": f"0x{block.hash.hex()}"}
        try:
            return self._decoded(await self._rpc.call("eth_getLogs", query), block.number, block.number)
        except NodeRefused as error:
            raise NodeUnavailable(f"logs of block {block.number} could not be read: {error}") from error

    def topic(self, event: str) -> bytes:
        """Return the topic of an event's name."""
        return next(entry.topic for entry in self._abi.events.values() if entry.name == event)

    async def _range(self, first: int, last: int, topics: list[str | None]) -> list[Happening]:
        query: dict[str, Any] = {"address": self._address, "fromBlock": hex(first), "toBlock": hex(last)}
        if topics:
            query["topics"] = topics
        try:
            return self._decoded(await self._rpc.call("eth_getLogs", query), first, last)
        except NodeRefused as error:
            if first == last:
                raise NodeUnavailable(f"logs of block {first} could not be read: {error}") from error
        # many nodes limit blocks or events of one answer
        middle = (first + last) // 2
        return await self._range(first, middle, topics) + await self._range(middle + 1, last, topics)

    def _decoded(self, logs: Any, first: int, last: int) -> list[Happening]:
        try:
            found = [self._happening(log) for log in logs]
        except (DecodingError, KeyError, TypeError, ValueError) as error:
            raise NodeUnavailable(f"the node answered something that is no list of logs: {error!r}") from error
        happenings = [happening for happening in found if happening is not None]
        if any(not first <= happening.block_number <= last for happening in happenings):
            raise NodeUnavailable("the node answered logs of other blocks than were asked for")
        return happenings

    def _happening(self, log: dict[str, Any]) -> Happening | None:
        if as_bytes(log["address"]) != bytes.fromhex(self._address[2:]):
            raise ValueError("logs of another contract")
        decoded = self._abi.decode_event([as_bytes(topic) for topic in log["topics"]], as_bytes(log["data"]))
        return None if decoded is None else Happening(as_number(log["blockNumber"]), *decoded)


def _written(topics: Sequence[bytes | None]) -> list[str | None]:
    return [None if topic is None else f"0x{topic.hex()}" for topic in topics]

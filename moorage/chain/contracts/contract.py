"""Reads of one contract at one block, and calls that change it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

from eth_abi.exceptions import DecodingError

from moorage.chain import abi
from moorage.chain.pinned import read_pinned
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_bytes
from moorage.snapshot import Block
from moorage.types import Address


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to be sent."""

    to: Address
    data: bytes
    description: str
    """For people and logs, such as `submit_lease 0xab12..`."""


def at(block: Block | None) -> Any:
    """Return the JSON-RPC block parameter: this block exactly (EIP-1898), or the newest."""
    return "latest" if block is None else {"blockHash": f"0x{block.hash.hex()}", "requireCanonical": True}


class Contract:
    """Reads of one contract; results of a batch come from the same block."""

    def __init__(self, rpc: Rpc, address: Address, name: str) -> None:
        self._rpc = rpc
        self.address = address
        self._abi = abi.load(name)

    async def read(self, block: Block | None, function: str, *arguments: Any) -> Any:
        """Return what a view returns."""
        return (await self.read_many(block, function, [arguments]))[0]

    async def read_many(self, block: Block | None, function: str, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """Return what a view returns for each of several argument lists.

        Raises:
            NodeUnavailable: no usable answer; a block that the node does not know counts as that.
        """
        calls = []
        for each in arguments:
            data = f"0x{self._abi.encode(function, *each).hex()}"
            calls.append(("eth_call", ({"to": self.address, "data": data}, at(block))))
        try:
            results = await (self._rpc.batch(calls) if block is None else read_pinned(self._rpc, calls))
            return [self._abi.decode(function, as_bytes(result)) for result in results]
        except (NodeRefused, DecodingError) as error:
            raise NodeUnavailable(f"{function} could not be read at this block: {error}") from error

    def through(self, rpc: Rpc) -> Self:
        """Return the same contract as it is read at another node."""
        other = copy(self)
        other._rpc = rpc
        return other

    def call(self, function: str, *arguments: Any, about: str = "") -> Call:
        """Return a transaction to this contract."""
        return Call(self.address, self._abi.encode(function, *arguments), f"{function} {about}".strip())


def short(identifier: bytes) -> str:
    return f"0x{identifier.hex()[:12]}"

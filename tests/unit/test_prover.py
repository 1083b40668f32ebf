"""Proofs about leases: made of answers for the hash of a final block alone, each time from another node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.snapshot import Block
from moorage.types import Lease, OrderId, OrderState
from provider_agent.core.endings import Proof, Standing
from provider_agent.shell.prover import Prover
from tests.factories.proofs import final_block, proof
from tests.markets import OTHERS, US, make_lease, make_order

ORDER = make_order()
LEASE = ORDER.id


@dataclass
class Node:
    """A node with a final block, or with a fault."""

    final: int
    lease: Lease | None = None
    fault: Exception | None = None
    reading_fault: Exception | None = None

    async def call(self, method: str, tag: str, full: bool, kind: Any) -> Any:
        assert (method, tag) == ("eth_getBlockByNumber", "finalized")
        if self.fault is not None:
            raise self.fault
        block = final_block(self.final)
        fields = {"number": hex(block.number), "hash": f"0x{block.hash.hex()}", "parentHash": f"0x{bytes(32).hex()}"}
        return msgspec.convert({**fields, "timestamp": hex(block.timestamp)}, kind)


@dataclass
class Exchange:
    node: Node | None = None
    read: list[Block | None] = field(default_factory=list)

    def through(self, node: Node) -> Exchange:
        return Exchange(node, self.read)

    async def leases(self, block: Block | None, leases: Sequence[OrderId]) -> list[Lease | None]:
        assert self.node is not None
        if self.node.reading_fault is not None:
            raise self.node.reading_fault
        self.read.append(block)
        return [self.node.lease for _ in leases]


@dataclass
class Nodes:
    nodes: tuple[Node, ...]

    async def checked(self, place: int) -> Node:
        return self.nodes[place]


def prover(*nodes: Node) -> Prover:
    return Prover(Nodes(nodes), Exchange(), US)  # type: ignore[arg-type]


STANDINGS = {
    "no lease": (None, Standing.NEVER),
    "somebody else's": (make_lease(ORDER, provider=OTHERS), Standing.NEVER),
    "somebody else's and over": (make_lease(ORDER, provider=OTHERS, state=OrderState.LEASE_CLOSED), Standing.NEVER),
    "open": (make_lease(ORDER, state=OrderState.OPEN), Standing.NEVER),
    "active": (make_lease(ORDER), Standing.LIVE),
    "stale": (make_lease(ORDER, state=OrderState.LEASE_STALE), Standing.OVER),
    "closing": (make_lease(ORDER, state=OrderState.LEASE_CLOSING), Standing.OVER),
    "closed": (make_lease(ORDER, state=OrderState.LEASE_CLOSED), Standing.OVER),
}


@pytest.mark.parametrize(("lease", "standing"), STANDINGS.values(), ids=STANDINGS.keys())
async def test_g12_prove__node_answers__is_what_it_says_at_the_final_block(
    lease: Lease | None, standing: Standing
) -> None:
    assert await prover(Node(7, lease)).prove([LEASE]) == [proof(LEASE, 7, standing)]


@pytest.mark.parametrize(
    "node",
    [
        Node(7, fault=NodeUnavailable("no answer")),
        Node(7, fault=NodeRefused(-32000, "no final block", None)),
        Node(7, reading_fault=NodeUnavailable("no such block")),
    ],
)
async def test_g12_prove__node_fails__proves_nothing(node: Node) -> None:
    with pytest.raises(NodeUnavailable):
        await prover(node, node).prove([LEASE])


async def test_g12_prove__several_nodes__each_is_asked_in_turn_and_named() -> None:
    asked = prover(Node(7), Node(8), Node(9))

    found = [await asked.prove([LEASE]) for _ in range(4)]

    expected = [proof(LEASE, 7 + node, Standing.NEVER, node=node, nodes=3) for node in (0, 1, 2, 0)]
    assert found == [[each] for each in expected]


async def test_g12_prove__one_of_them_fails__the_next_is_asked_and_it_stays_the_only_witness() -> None:
    asked = prover(Node(7), Node(8, fault=NodeUnavailable("no answer")))

    found: list[Proof] = [each for _ in range(4) for each in await asked.prove([LEASE])]

    assert {each.node for each in found} == {0}
    assert not any(found[0].is_borne_out_by(each) for each in found)

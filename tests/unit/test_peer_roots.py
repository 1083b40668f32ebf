"""Other providers' roots: read at final blocks, kept while no node answers, gone soon after they are removed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from moorage import pki
from moorage.chain.rpc import NodeUnavailable
from moorage.snapshot import Block
from moorage.types import Address, Provider, ProviderNumber
from provider_agent.shell.peer_roots import AT_ONCE, REFRESH_SECONDS, PeerRoots
from tests.factories.proofs import final_block
from tests.markets import OTHERS, TENANT

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
NOW = datetime.now(UTC)
ROOT = pki.create_root(OTHERS, EXCHANGE, NOW).der
NEXT_ROOT = pki.create_root(OTHERS, EXCHANGE, NOW).der
OWN_ROOT = pki.create_root(ProviderNumber(9), EXCHANGE, NOW).der
ODD = ProviderNumber(66)
ENDPOINT = "https://192.0.2.1:8443"


@dataclass
class Node:
    """A node that has seen the chain up to a block."""

    newest: int = 1_000
    final: int = 990
    history: dict[int, tuple[bytes, ...]] = field(default_factory=lambda: {0: (ROOT,)})
    """From which block on which roots count."""
    fault: Exception | None = None
    reading_fault: Exception | None = None
    is_known: bool = True
    at_once: int = 0
    most_at_once: int = 0

    async def call(self, method: str, tag: str, full: bool, kind: Any) -> Any:
        assert method == "eth_getBlockByNumber"
        if self.fault is not None:
            raise self.fault
        block = final_block(self.final if tag == "finalized" else self.newest)
        fields = {"number": hex(block.number), "hash": f"0x{block.hash.hex()}", "parentHash": f"0x{bytes(32).hex()}"}
        return msgspec.convert({**fields, "timestamp": hex(block.timestamp)}, kind)

    async def provider(self, block: Block, number: ProviderNumber) -> Provider | None:
        if self.reading_fault is not None:
            raise self.reading_fault
        if number == ODD:
            raise LookupError("nobody has thought of this")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return Provider(number, TENANT, TENANT, 1, 0, ENDPOINT) if self.is_known else None

    async def roots(self, block: Block, number: ProviderNumber) -> tuple[bytes, ...]:
        return self.history[max(start for start in self.history if start <= block.number)]


@dataclass
class Registry:
    node: Any = None

    def through(self, node: Any) -> Any:
        return node


@dataclass
class Nodes:
    nodes: tuple[Node, ...]

    async def checked(self, place: int) -> Node:
        return self.nodes[place]


class Desk:
    def __init__(self, *nodes: Node, wanted: Iterable[ProviderNumber] = (OTHERS,)) -> None:
        self.wanted = set(wanted)
        self.changes = 0
        self.has_changed = asyncio.Event()
        self.roots = PeerRoots(Nodes(nodes), Registry(), EXCHANGE, lambda: self.wanted, self.changed)  # type: ignore[arg-type]

    def changed(self) -> None:
        self.changes += 1
        self.has_changed.set()

    def of(self, provider: ProviderNumber = OTHERS) -> tuple[bytes, ...] | None:
        agent = self.roots.find(provider)
        return agent.roots_der if agent is not None else None


async def test_h20_roots__final_on_chain__count() -> None:
    desk = Desk(Node())

    assert await desk.roots.refresh()

    agent = desk.roots.find(OTHERS)
    assert agent is not None
    assert (agent.endpoint, agent.roots_der) == (ENDPOINT, (ROOT,))
    assert desk.changes == 1


async def test_h23_roots__added_and_not_final__do_not_count_yet() -> None:
    node = Node(history={0: (ROOT,), 995: (ROOT, NEXT_ROOT)})
    desk = Desk(node)
    await desk.roots.refresh()
    assert desk.of() == (ROOT,)

    node.final, node.newest = 996, 1_006
    await desk.roots.refresh()

    assert desk.of() == (ROOT, NEXT_ROOT)


async def test_h23_roots__removed__stop_counting_at_the_next_reading_even_before_that_is_final() -> None:
    node = Node(history={0: (ROOT, NEXT_ROOT), 1_001: (NEXT_ROOT,)})
    desk = Desk(node)
    await desk.roots.refresh()
    assert desk.of() == (ROOT, NEXT_ROOT)

    node.newest = 1_001
    await desk.roots.refresh()

    assert desk.of() == (NEXT_ROOT,)
    assert desk.changes == 2


def test_h23_roots__refresh__is_far_below_five_minutes() -> None:
    assert REFRESH_SECONDS <= 60


@pytest.mark.parametrize("where", ["fault", "reading_fault"])
async def test_g12_roots__node_does_not_answer__those_known_count_on(where: str) -> None:
    node = Node()
    desk = Desk(node)
    await desk.roots.refresh()

    setattr(node, where, NodeUnavailable("gone"))

    assert not await desk.roots.refresh()
    assert desk.of() == (ROOT,)
    assert desk.changes == 1


async def test_g12_roots__node_knows_no_such_provider__is_no_proof_that_there_is_none() -> None:
    node = Node()
    desk = Desk(node)
    await desk.roots.refresh()

    node.is_known = False

    assert not await desk.roots.refresh()
    assert desk.of() == (ROOT,)


async def test_h23_roots__one_node_is_behind__does_not_bring_a_removed_root_back() -> None:
    history = {0: (ROOT, NEXT_ROOT), 950: (NEXT_ROOT,)}
    desk = Desk(Node(history=history), Node(newest=940, final=930, history=history))

    for _ in range(4):
        await desk.roots.refresh()
        assert desk.of() == (NEXT_ROOT,)


async def test_h21_roots__root_for_another_provider__does_not_count_and_costs_its_owner_alone() -> None:
    desk = Desk(Node(history={0: (OWN_ROOT, ROOT)}))

    await desk.roots.refresh()

    assert desk.of() == (ROOT,)
    assert "subject" in (desk.roots.problem(OTHERS) or "")


async def test_h25_roots__what_one_provider_registered_is_odd__costs_that_one_alone() -> None:
    node = Node()
    desk = Desk(node, wanted=(OTHERS, ODD))

    assert not await desk.roots.refresh()

    assert desk.of() == (ROOT,)
    assert desk.of(ODD) is None


async def test_roots__what_one_provider_registered_is_odd__fills_no_log() -> None:
    desk = Desk(Node(), wanted=(ODD,))

    with capture_logs() as logs:
        for _ in range(3):
            await desk.roots.refresh()

    assert [each["event"] for each in logs] == ["peer not read"]


async def test_h23_roots__many_providers_cannot_be_read__are_waited_for_together() -> None:
    many = [ProviderNumber(number) for number in range(100, 100 + 2 * AT_ONCE)]
    node = Node()
    desk = Desk(node, wanted=(*many, OTHERS))

    await desk.roots.refresh()

    assert node.most_at_once == AT_ONCE
    assert desk.of() == (ROOT,)


async def test_roots__no_part_taken_any_more__are_forgotten() -> None:
    desk = Desk(Node())
    await desk.roots.refresh()

    desk.wanted.clear()
    await desk.roots.refresh()

    assert desk.of() is None
    assert desk.changes == 2


async def test_roots__unknown_provider_is_wanted__is_read_at_once() -> None:
    desk, stop = Desk(Node(), wanted=()), asyncio.Event()
    running = asyncio.create_task(desk.roots.run(stop))
    await asyncio.sleep(0.01)
    assert desk.of() is None

    desk.wanted.add(OTHERS)
    desk.roots.wake()
    await asyncio.wait_for(desk.has_changed.wait(), 60)
    assert desk.of() == (ROOT,)
    stop.set()
    await asyncio.wait_for(running, 60)

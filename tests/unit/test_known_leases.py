"""Leases that an agent knows are confirmed whatever logs a node gives, and only the storage ends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moorage.chain.contracts import Registry
from moorage.chain.jobs import Job
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeUnavailable
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Block
from moorage.types import ComputeUnit, OrderId
from provider_agent.core.admission import Admission
from provider_agent.core.advertisement import AdvertisementPolicy
from provider_agent.core.pricing import PricePolicy
from provider_agent.shell.advertiser import Advertiser
from provider_agent.shell.loop import MarketLoop, Offer
from tests.fakes.market_node import MARKET, Event, MarketNode, bid, created, submitted
from tests.markets import OTHERS, TENANT, US

LEASE = OrderId(created()[1]["order"])
TOLD: list[Event] = [submitted(), created(), bid(LEASE, US)]
NONE = (0, 0, 0, 0, 0)
NO_LEASE = (0, 0, 0, 0, False, 0, 0, 0, 0, False, False)
ACTIVE, STALE = 3, 4
CAPACITY = ComputeUnit(1_000, 2**30, 10**10)


class Outgoing(Dispatch):
    """Takes note of what is sent."""

    def __init__(self) -> None:
        super().__init__(None)
        self.jobs: list[Job] = []

    async def send(self, jobs: Sequence[Job], block: Block) -> None:
        self.jobs += jobs


@dataclass
class World:
    """An agent with a lease that waits for its first confirmation at each block."""

    folder: Path
    node: MarketNode = field(default_factory=MarketNode)
    state: int = ACTIVE
    provider: int = US
    outgoing: Outgoing = field(default_factory=Outgoing)

    def __post_init__(self) -> None:
        self.node.views = {
            "order": lambda order: (self.state, 0, 0, 0, 0) if order == LEASE else NONE,
            "lease": lambda lease: self.row() if lease == LEASE else NO_LEASE,
            "fulfillment": lambda order, provider: (US, 40, 500),
            "deployment": lambda deployment: (TENANT, 1, 1, 1, 1, 50),
        }
        self.loop = self.started()

    def row(self) -> tuple[int | bool, ...]:
        return (self.state, self.provider, 40, 7, True, 0, 0, 300, 2_000, False, False)

    def started(self) -> MarketLoop:
        reader, registry = MarketReader(self.node, MARKET, US), Registry(self.node, MARKET)
        offer = Offer(CAPACITY, PricePolicy(Fraction(0), Fraction(0), Fraction(0), 1), 100, Admission())
        advertiser = Advertiser(registry, US, CAPACITY, None, AdvertisementPolicy(0, 0))
        maintenance = Maintenance(self.folder)
        return MarketLoop(reader, registry, self.outgoing, US, offer, maintenance, advertiser, lambda _: None)

    async def cycle(self, *events: Event, held: frozenset[OrderId] = frozenset()) -> list[tuple[bytes, ...]]:
        """Run a cycle at a new block, and return what was confirmed."""
        self.node.add(*events)
        self.outgoing.jobs.clear()
        try:
            await self.loop.cycle(frozenset(), held)
        except NodeUnavailable:
            assert self.node.faults or self.node.distrusted
        return [job.items for job in self.outgoing.jobs if job.kind == "submit_lease_confirmation"]

    def withhold(self) -> None:
        """Have all logs that there were withheld from now on."""
        for events in self.node.events.values():
            events.clear()


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    assert await world.cycle(*TOLD) == [(LEASE,)]
    return world


async def test_g13_agent__logs_do_not_come__confirms_what_it_knows_and_says_so(world: World) -> None:
    world.node.faults["eth_getLogs"] = [NodeUnavailable("no logs")]

    with capture_logs() as said:
        confirmed = await world.cycle()

    assert confirmed == [(LEASE,)]
    assert [entry["event"] for entry in said if entry["log_level"] == "error"] == [
        "market not readable: confirming known leases"
    ]


async def test_g13_agent__logs_and_state_disagree_and_then_there_are_none__confirms_at_each_block(world: World) -> None:
    world.withhold()
    world.loop._reader.distrust()

    with capture_logs() as said:
        confirmed = [await world.cycle() for _ in range(6)]

    assert confirmed == [[(LEASE,)]] * 6
    assert {entry["event"] for entry in said if entry["log_level"] == "error"} >= {
        "leases are in no log: confirming them"
    }


async def test_g13_agent__lease_is_over_while_logs_are_withheld__is_not_confirmed(world: World) -> None:
    world.withhold()
    world.loop._reader.distrust()
    await world.cycle()

    world.state = STALE

    assert [await world.cycle() for _ in range(2)] == [[], []]
    assert world.loop._known._unseen == set()


async def test_g21_agent__restarted_while_all_logs_are_withheld__confirms_what_is_on_its_engine(world: World) -> None:
    world.withhold()
    world.loop = world.started()

    assert await world.cycle() == []
    assert [await world.cycle(held=frozenset([LEASE])) for _ in range(3)] == [[(LEASE,)]] * 3


async def test_agent__lease_of_another_on_its_engine__is_not_confirmed(tmp_path: Path) -> None:
    world = World(tmp_path, provider=OTHERS)

    assert await world.cycle(held=frozenset([LEASE])) == []


async def test_g16_agent__node_goes_back_behind_the_last_snapshot__confirms_nothing_again(world: World) -> None:
    assert [await world.cycle() for _ in range(3)] == [[(LEASE,)]] * 3

    world.node.lag = 2  # it does not have the next block either

    assert await world.cycle() == []


async def test_g12_agent__node_tells_no_block__nothing_is_asked_or_sent(world: World) -> None:
    world.node.faults["eth_getBlockByNumber"] = [NodeUnavailable("no answer")]
    world.node.calls.clear()

    assert await world.cycle() == []
    assert world.node.count("eth_call") == 0

"""What a daemon tells of a cycle: how it went, and how nodes, index, outbox and maintenance are after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry

from moorage.chain.index import LogIndex
from moorage.dispatch import Dispatch
from moorage.health import Health
from moorage.maintenance import Maintenance
from moorage.metrics import ChainMetrics, CycleMetrics, TransactionMetrics
from moorage.monitor import Monitor
from moorage.snapshot import Block
from moorage.watchdog import Watchdog
from tests.fakes.market_node import MARKET, MarketNode
from tests.fakes.node import Refusal
from tests.fakes.outboxes import job, outbox
from tests.fakes.pool import Pool

BLOCK = Block(7, b"\x07" * 32, 1_700_000_000, b"\x06" * 32)


class World:
    def __init__(self, folder: Path, dispatch: Dispatch | None = None) -> None:
        self.registry = CollectorRegistry()
        chain, cycles = ChainMetrics(self.registry), CycleMetrics(self.registry, "facilitator")
        self.health = Health(60.0)
        self.monitor = Monitor(chain, cycles, TransactionMetrics(self.registry), self.health, Watchdog(60.0))
        self.node, self.dispatch, self.maintenance = MarketNode(), dispatch or Dispatch(None), Maintenance(folder)
        self.index = LogIndex(self.node, MARKET)
        self.monitor.watch(self.node, self.index, self.dispatch, self.maintenance)

    def read(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def test_completed__cycle__is_counted_and_healthy(tmp_path: Path) -> None:
    world = World(tmp_path)

    world.monitor.completed(BLOCK, 0.25)

    assert world.read("moorage_facilitator_cycle_seconds_count") == 1
    assert world.read("moorage_chain_head_block") == 7
    assert world.health.report().is_healthy


def test_failed__cycle__is_counted_and_told(tmp_path: Path) -> None:
    world = World(tmp_path)

    world.monitor.failed("no answer")

    assert world.read("moorage_facilitator_cycles_failed_total") == 1
    assert not world.health.report().is_healthy


def test_watch__node_goes_and_comes_back__is_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    seen = []

    for is_up in (True, False, True):
        world.node.is_up = is_up
        world.monitor.failed("whatever")
        seen.append(world.read("moorage_chain_endpoint_up", endpoint="0"))

    assert seen == [1, 0, 1]


def test_watch__reorganisations__are_counted_once(tmp_path: Path) -> None:
    world = World(tmp_path)

    for total in (0, 2, 2, 3):
        world.index.reorganisations = total
        world.monitor.completed(BLOCK, 0.1)

    assert world.read("moorage_chain_reorganisations_total") == 3


def test_watch__maintenance__is_told_until_it_ends(tmp_path: Path) -> None:
    world = World(tmp_path)
    seen = []

    for is_on in (False, True, False):
        world.maintenance.drain(is_on)
        world.monitor.completed(BLOCK, 0.1)
        seen.append(world.read("moorage_facilitator_draining"))

    assert seen == [0, 1, 0]


async def test_watch__sent_and_refused__is_counted(tmp_path: Path) -> None:
    pool = Pool(is_mining=False, refusals={"0x02": Refusal("execution reverted")})
    async with outbox(pool) as sending:
        world = World(tmp_path, Dispatch(sending))
        for number in (7, 9):  # what failed once is no news
            block = replace(BLOCK, number=number)
            await world.dispatch.look(block)
            await world.dispatch.send([job(1), job(2, priority=1)], block)
        world.monitor.completed(BLOCK, 0.1)

    assert world.read("moorage_transactions_under_way") == 1
    assert world.read("moorage_facilitator_items_quarantined") == 1

"""What a block costs a daemon, counted in calls: by what has changed, not by what there is."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from types import FrameType
from typing import Any

import pytest

from facilitator_bot.core.decisions import decide
from facilitator_bot.core.watchlist import Watchlist
from moorage.chain.reader import MarketReader
from moorage.types import ComputeUnit, ProviderNumber
from provider_agent.core.chores import decide_chores
from provider_agent.core.duties import Duties
from provider_agent.core.pricing import PricePolicy
from provider_agent.core.prospects import Prospects
from tests.benchmarks.speed_node import BIDDEN, CannedNode
from tests.bytecode import ROOT
from tests.fakes.market_node import MARKET
from tests.markets import make_account, make_provider

US = ProviderNumber(99)
SMALL, LARGE = 80, 800
BLOCKS = 6
CHANGED = 3
OURS = tuple(str(ROOT / name) for name in ("moorage", "facilitator_bot", "provider_agent"))
TOO_DEAR = PricePolicy(Fraction(10**6), Fraction(0), Fraction(0), minimum=1)
Cycle = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Cost:
    """Of one block."""

    requests: int
    calls_of_node: int
    function_calls: int


def facilitator(node: CannedNode) -> Cycle:
    reader, watchlist = MarketReader(node, MARKET), Watchlist()

    async def cycle() -> None:
        snapshot = await reader.snapshot()
        watchlist.update(snapshot)
        assert decide(snapshot, watchlist.due(snapshot.block.number + 1)) == ()

    return cycle


def agent(node: CannedNode) -> Cycle:
    reader, duties = MarketReader(node, MARKET, US), Duties(US, 1_000)
    prospects = Prospects(US, ComputeUnit(10**9, 2**60, 10**15), TOO_DEAR)

    async def cycle() -> None:
        snapshot = await reader.snapshot()
        duties.update(snapshot)
        prospects.update(snapshot)
        due = duties.due(snapshot.block.number + 1)
        assert decide_chores(snapshot, US, (), 1_000, due) == ()
        prospects.decide(snapshot, make_provider(), make_account(), {})
        assert len(prospects.declined) == len(node.orders)

    return cycle


async def costs(size: int, daemon: Callable[[CannedNode], Cycle]) -> list[Cost]:
    """Return what blocks cost in which a few of so many orders change."""
    node = CannedNode(size, 1, match_block=10_000)
    node.head = BIDDEN
    cycle = daemon(node)
    await cycle()
    found = []
    for block in range(BIDDEN + 1, BIDDEN + 1 + BLOCKS):
        node.touch(block, node.orders[::20][:CHANGED])
        node.head, node.requests = block, []
        calls = 0

        def count(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event == "call" and frame.f_code.co_filename.startswith(OURS)

        sys.setprofile(count)
        try:
            await cycle()
        finally:
            sys.setprofile(None)
        found.append(Cost(len(node.requests), sum(node.requests), calls))
    return found


@pytest.mark.parametrize("daemon", [facilitator, agent])
async def test_c19_cycle__ten_times_as_many_orders__costs_no_more_than_half_as_much_again(
    daemon: Callable[[CannedNode], Cycle],
) -> None:
    small, large = await costs(SMALL, daemon), await costs(LARGE, daemon)

    for name in ("requests", "calls_of_node", "function_calls"):
        least, most = (sum(getattr(cost, name) for cost in each) for each in (small, large))
        assert 0 < most <= 1.5 * least, (name, least, most)

"""What wakes a daemon's loop: each new block, whatever the node answers in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moorage.chain import blocks
from moorage.chain.blocks import new_blocks
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from tests.fakes.market_node import MarketNode


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(blocks, "RETRY_SECONDS", 0.001)


async def heights(answers: list[Any], count: int) -> list[int]:
    """Return what comes of a node's answers, the last of which is repeated."""
    node, stop = MarketNode(), asyncio.Event()

    def answer() -> Any:
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(given, Exception):
            raise given
        return given

    node._eth_blockNumber = answer  # type: ignore[method-assign]
    found = []
    async for height in new_blocks(node, stop):
        found.append(height)
        if len(found) == count:
            stop.set()
    return found


async def test_new_blocks__node_goes_on__gives_each_height_once() -> None:
    assert await heights(["0x1", "0x1", "0x2", "0x2", "0x2", "0x5"], 3) == [1, 2, 5]


async def test_new_blocks__chain_becomes_shorter__gives_the_height_again() -> None:
    assert await heights(["0x5", "0x4", "0x5"], 3) == [5, 4, 5]


@pytest.mark.parametrize(
    "nothing",
    [NodeUnavailable("no answer"), NodeRefused(-32000, "busy", None), None, "", "0x", "latest", 7, {}],
)
async def test_g12_new_blocks__node_fails_or_answers_nonsense__goes_on(nothing: Any) -> None:
    assert await heights([nothing, "0x1", nothing, nothing, "0x2"], 2) == [1, 2]


async def test_new_blocks__stopped_before__gives_none() -> None:
    stop = asyncio.Event()
    stop.set()

    assert [height async for height in new_blocks(MarketNode(), stop)] == []


async def test_new_blocks__stopped_while_waiting__ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "POLL_SECONDS", 1_000)
    stop, has_begun = asyncio.Event(), asyncio.Event()

    async def watch() -> None:
        async for _ in new_blocks(MarketNode(), stop):
            has_begun.set()

    watching = asyncio.create_task(watch())
    await has_begun.wait()
    stop.set()

    await watching

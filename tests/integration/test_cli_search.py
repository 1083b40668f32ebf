"""Who would bid, as the registry and the exchange tell it."""

from __future__ import annotations

import pytest

from cli.failures import ExitStatus
from moorage.chain.contracts import Registry
from moorage.types import ComputeUnit
from tests.chain import ONE_TOKEN, register_provider
from tests.cli_world import World, assert_failed, world

FREE = ComputeUnit(8_000, 2**35, 10**12)
CENT = ONE_TOKEN // 100 // 3_600
"""A hundredth of a token per hour: the worlds of these tests have blocks of a second."""


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def advertise(here: World, index: int, free: ComputeUnit, price: int) -> None:
    """Have the provider of `owners[index]`, whose number is one more, tell what it has."""
    number = index + 1
    call = Registry(here.chain.rpc, here.market).call("advertise", number, *_parts(free), price)
    await here.chain.transact(here.chain.operators[index], call)


def _parts(unit: ComputeUnit) -> tuple[int, int, int]:
    return unit.milli_cpu, unit.memory_bytes, unit.disk_bytes


async def test_search__each_kind_of_provider__is_told_with_its_reason(tmp_path):
    async with world(tmp_path) as here:
        for index, changes in enumerate(({}, {}, {"region": "us-west", "collateral": ONE_TOKEN})):
            await register_provider(here.chain, here.market, index, **changes)
        await advertise(here, 0, FREE, 90 * CENT)
        await advertise(here, 0, FREE, 40 * CENT)
        await advertise(here, 2, FREE, 40 * CENT)
        before = await here.account()

        told = await here.tenant.does("search")
        found = (await here.tenant.does("search", "-o", "json")).json

        assert told.status is ExitStatus.OK, told.err
        assert "3 providers are registered" in told.out
        assert "group dock: 1 would bid, 1 may, 1 would not" in told.out
        assert [(each["provider"], each["would_bid"]) for each in found["candidates"]] == [
            (1, "yes"),
            (2, "maybe"),
            (3, "no"),
        ]
        first, second, third = found["candidates"]
        assert first["highest_price_per_hour"].startswith("0.7999") and first["reasons"] == []
        assert (
            second["lowest_price_per_hour"] is None and "has told no price or capacity lately" in second["reasons"][0]
        )
        assert third["reasons"] == [
            "is in us-west, `region` is local",
            "has 1 MOOR free, `collateral` comes to 24 MOOR",
        ]
        assert await here.account() == before


async def test_search__deregistered_provider__is_not_there(tmp_path):
    async with world(tmp_path) as here:
        await register_provider(here.chain, here.market)
        call = Registry(here.chain.rpc, here.market).call("deregister_provider", 1)
        await here.chain.transact(here.chain.owners[0], call)

        told = await here.tenant.does("search")

        assert "0 providers are registered" in told.out
        assert "nobody would bid as things are" in told.out


async def test_search__no_node__is_one_line(tmp_path):
    async with world(tmp_path) as here:
        result = await here.tenant.having(RPC="http://127.0.0.1:1").does("search")

        assert_failed(result, ExitStatus.CHAIN_UNAVAILABLE, "http://127.0.0.1:1", "--rpc")

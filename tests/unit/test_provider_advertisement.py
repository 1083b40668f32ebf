"""When the registry is told anew of free capacity and price, and how the newest advertisement is found."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from moorage.advertisement import Advertisement
from moorage.chain import abi
from moorage.chain.contracts import Registry
from moorage.types import ComputeUnit
from provider_agent.core.advertisement import (
    AdvertiseCapacity,
    AdvertisementPolicy,
    advertised_price,
    decide_advertisement,
)
from provider_agent.core.pricing import PricePolicy
from tests.fakes.market_node import MARKET
from tests.fakes.node import fake_node
from tests.markets import US

CAPACITY = ComputeUnit(8_000, 16 * 2**30, 100 * 10**9)
FREE = ComputeUnit(4_000, 8 * 2**30, 50 * 10**9)
PRICE = 30
POLICY = AdvertisementPolicy(longest_blocks=1_000, shortest_blocks=40)
EMPTY = ComputeUnit(0, 0, 0)


def decide(
    free: ComputeUnit = FREE,
    price: int = PRICE,
    newest: Advertisement | None = None,
    block: int = 5_000,
    policy: AdvertisementPolicy = POLICY,
) -> AdvertiseCapacity | None:
    return decide_advertisement(block, CAPACITY, free, price, newest, policy)


def told(age: int, free: ComputeUnit = FREE, price: int = PRICE) -> Advertisement:
    return Advertisement(5_000 - age, free, price)


def test_decide_advertisement__never_told__tells() -> None:
    assert decide() == AdvertiseCapacity(FREE, PRICE)


@pytest.mark.parametrize(
    ("newest", "is_told"),
    [
        (told(100), False),
        (told(999), False),
        (told(1_000), True),
        (told(100, price=31), True),
        (told(39, price=31), False),
        (told(40, price=31), True),
        (told(100, ComputeUnit(4_800, FREE.memory_bytes, FREE.disk_bytes)), False),
        (told(100, ComputeUnit(4_801, FREE.memory_bytes, FREE.disk_bytes)), True),
        (told(100, ComputeUnit(3_199, FREE.memory_bytes, FREE.disk_bytes)), True),
        (told(100, ComputeUnit(4_000, 6 * 2**30, FREE.disk_bytes)), True),
        (told(100, ComputeUnit(4_000, FREE.memory_bytes, 39 * 10**9)), True),
    ],
)
def test_decide_advertisement__told_before__only_when_it_matters(newest: Advertisement, is_told: bool) -> None:
    assert decide(newest=newest) == (AdvertiseCapacity(FREE, PRICE) if is_told else None)


def test_decide_advertisement__last_of_it_is_gone_or_back__is_told_however_little_it_was() -> None:
    little = ComputeUnit(10, FREE.memory_bytes, FREE.disk_bytes)
    none = ComputeUnit(0, FREE.memory_bytes, FREE.disk_bytes)

    assert decide(none, newest=told(100, little)) == AdvertiseCapacity(none, PRICE)
    assert decide(little, newest=told(100, none)) == AdvertiseCapacity(little, PRICE)


def test_decide_advertisement__more_is_reserved_than_there_is__tells_nothing_below_zero() -> None:
    assert decide(ComputeUnit(-1_000, -1, -1)) == AdvertiseCapacity(EMPTY, PRICE)


def test_decide_advertisement__switched_off__tells_nothing() -> None:
    assert decide(policy=AdvertisementPolicy(longest_blocks=0, shortest_blocks=0)) is None


def test_advertised_price__of_one_cpu_with_two_gibibytes() -> None:
    policy = PricePolicy(Fraction(1, 100), Fraction(1, 2**30), Fraction(1), 0)

    assert advertised_price(policy) == 12


def raises(*_: object) -> int:
    raise RuntimeError


@pytest.mark.parametrize("pricing", [raises, lambda *_: -1, lambda *_: 1.5, lambda *_: 2**256])
def test_advertised_price__faulty_pricing_function__gives_none(pricing: Any) -> None:
    assert advertised_price(PricePolicy(Fraction(0), Fraction(0), Fraction(0), 0), pricing) is None


def test_registry__advertise__is_the_call_of_the_contract() -> None:
    registry = Registry(None, MARKET)  # type: ignore[arg-type]

    call = registry.advertise(US, FREE, PRICE)

    assert (call.to, call.description) == (MARKET.registry, "advertise 7")
    assert call.data[:4] == abi.load("ProviderRegistry").functions["advertise"].selector
    assert decode(["uint256"] * 5, call.data[4:]) == (7, 4_000, 8 * 2**30, 50 * 10**9, 30)


async def test_registry__newest_advertisement__is_looked_for_backwards() -> None:
    topic = next(e.topic for e in abi.load("ProviderRegistry").events.values() if e.name == "CapacityAdvertised")
    happened = {7_000: 1, 7_100: 2, 20_000: 3}
    ranges: list[tuple[int, int]] = []

    def answer(method: str, params: list[Any]) -> Any:
        assert method == "eth_getLogs"
        assert params[0]["topics"] == [f"0x{topic.hex()}", f"0x{7:064x}"]
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        ranges.append((first, last))
        return [
            {
                "address": MARKET.registry,
                "topics": params[0]["topics"],
                "data": f"0x{encode(['uint256'] * 4, [cpu, 2, 3, 4]).hex()}",
                "blockNumber": hex(block),
                "blockHash": f"0x{block:064x}",
            }
            for block, cpu in happened.items()
            if first <= block <= last
        ]

    async with fake_node(answer) as (_, rpc):
        registry = Registry(rpc, MARKET)

        assert await registry.advertisement(US, 1_000, 14_000) == Advertisement(7_100, ComputeUnit(2, 2, 3), 4)
        assert ranges == [(9_001, 14_000), (4_001, 9_000)]
        assert await registry.advertisement(US, 8_000, 9_000) is None
        assert await registry.advertisement(US, 10, 9) is None

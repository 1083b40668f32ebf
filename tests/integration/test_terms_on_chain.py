"""The arithmetic of terms in Python equals that of the contract, for any group that the exchange takes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from moorage import terms
from moorage.chain import abi
from moorage.chain.contracts import Exchange
from moorage.chain.logs import EventLog, Happening
from moorage.chain.market import Market
from moorage.types import Address, ComputeUnit, Group, ResourceGroup, Version
from tests.chain import ONE_TOKEN, SUPPLY, Chain, deploy_market, deposit, start_chain

INTEREST_RATE = 10**12
"""The highest that the exchange allows: rounding shows."""
MAX_MONEY, MAX_CHARGE, MAX_32 = 2**96 - 1, 2**80 - 1, 2**32 - 1
TIP = ONE_TOKEN // 1_000
VERSION = Version(b"\x01" * 32)

words = st.integers(min_value=1, max_value=2**256 - 1)
names = st.binary(max_size=32).map(terms.decoded_name)
ids = st.binary(min_size=32, max_size=32)
units = st.builds(ComputeUnit, milli_cpu=words, memory_bytes=words, disk_bytes=words | st.just(0))
resources = st.builds(
    ResourceGroup,
    compute=units,
    price_per_block=st.integers(0, 2**60) | st.integers(0, 100),
    collateral=st.integers(TIP, 2**70),
    count=st.integers(1, 1_000),
)
groups = st.builds(
    Group,
    name=names,
    regions=st.integers(1, MAX_32),
    persist=st.booleans(),
    resources=st.lists(resources, min_size=1, max_size=8).map(tuple),
)


def edge(name: str, regions: int, is_persistent: bool, *money: tuple[int, int, int]) -> Group:
    """Return a group of the smallest units, with price, collateral and count of each."""
    return Group(name, regions, is_persistent, tuple(ResourceGroup(ComputeUnit(1, 1, 0), *each) for each in money))


EDGES = [
    edge("dock", 1, False, (0, MAX_MONEY, 1)),
    edge("d" * 31, MAX_32, True, (MAX_CHARGE - TIP * INTEREST_RATE // 10**18, TIP, 1)),
    edge("", 1 << 31, True, *[(0, 0, 1)] * 7, (1, TIP, 1)),
    edge("\xff" * 32, 1, False, (1, TIP // MAX_32 + 1, MAX_32)),
]


@given(
    given_groups=st.lists(groups, min_size=25, max_size=25),
    salts=st.lists(ids, min_size=6, max_size=6, unique=True),
    waits=st.lists(st.integers(0, MAX_32), min_size=4, max_size=4),
)
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_terms__any_groups__are_those_of_the_contract(
    given_groups: list[Group], salts: list[bytes], waits: list[int]
) -> None:
    every = [*EDGES, *given_groups]
    batches = [every[start : start + 5] for start in range(0, len(every), 5)]

    asyncio.run(compare([*zip(salts, [0, MAX_32, *waits], batches, strict=True)]))


async def compare(deployments: list[tuple[bytes, int, list[Group]]]) -> None:
    async with start_chain() as chain:
        market = await deploy_market(chain, interest_rate=INTEREST_RATE, tip=TIP, period=7)
        await deposit(chain, market, chain.tenant.address, SUPPLY * ONE_TOKEN)
        for salt, wait, submitted in deployments:
            await check_deployment(chain, market, salt, wait, submitted)


async def check_deployment(chain: Chain, market: Market, salt: bytes, wait: int, submitted: Sequence[Group]) -> None:
    """Submit groups with the smallest deposits; the ids that the exchange gives bind all of the terms."""
    exchange, parameters, tenant = Exchange(chain.rpc, market), market.parameters, Address(chain.tenant.address)
    smallest = [terms.minimum_deposit(group, parameters) for group in submitted]
    for index in range(len(submitted)):
        too_small = [amount - (place == index) for place, amount in enumerate(smallest)]
        with pytest.raises(AssertionError, match="order_book: deposit too small"):
            await chain.transact(chain.tenant, exchange.submit_deployment(salt, VERSION, wait, submitted, too_small))

    receipt = await chain.transact(chain.tenant, exchange.submit_deployment(salt, VERSION, wait, submitted, smallest))

    block = int(receipt["blockNumber"], 16)
    deployment, *created = await events(chain, market, block)
    expected = terms.deployment_id(chain.chain_id, market.exchange, tenant, salt)
    assert (deployment.name, deployment.arguments["deployment"]) == ("DeploymentSubmitted", expected)
    keys = [
        terms.order_key(expected, terms.nonce_of(place), wait, group, parameters)
        for place, group in enumerate(submitted)
    ]
    assert [each.arguments["order"] for each in created] == [terms.order_id(key) for key in keys]
    orders = await exchange.orders(None, [terms.order_id(key) for key in keys])
    assert [order and (order.deposit, order.match_block) for order in orders] == [
        (amount, block + wait) for amount in smallest
    ]
    assert [terms.wait_duration_blocks(key) for key in keys] == [wait] * len(submitted)
    assert [terms.max_charge_of(key) for key in keys] == [terms.max_charge(group, parameters) for group in submitted]


async def events(chain: Chain, market: Market, block: int) -> list[Happening]:
    return await EventLog(chain.rpc, market.exchange, abi.load("Exchange")).between(block, block)

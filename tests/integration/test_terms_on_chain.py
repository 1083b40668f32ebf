"""The arithmetic of terms in Python equals that of the contract, for any group that the exchange takes."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from moorage import terms
from moorage.chain.contracts import Exchange
from moorage.types import Address, ComputeUnit, DeploymentId, Group, OrderKey, ResourceGroup
from tests.chain import ONE_TOKEN, deploy_market, start_chain

INTEREST_RATE = 10**12
"""The highest that the exchange allows: rounding shows."""
MAX_MONEY, MAX_CHARGE, MAX_32 = 2**96 - 1, 2**80 - 1, 2**32 - 1
TIP = ONE_TOKEN // 1_000

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
    deployment=ids,
    nonces=st.lists(ids, min_size=29, max_size=29),
    waits=st.lists(st.integers(0, MAX_32), min_size=29, max_size=29),
    salt=ids,
)
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_terms__any_groups__are_those_of_the_contract(
    given_groups: list[Group], deployment: bytes, nonces: list[bytes], waits: list[int], salt: bytes
) -> None:
    cases = list(zip([*EDGES, *given_groups], nonces, waits, strict=True))

    asyncio.run(compare(DeploymentId(deployment), cases, salt))


async def compare(deployment: DeploymentId, cases: list[tuple[Group, bytes, int]], salt: bytes) -> None:
    async with start_chain() as chain:
        market = await deploy_market(chain, interest_rate=INTEREST_RATE, tip=TIP, period=7)
        exchange, parameters = Exchange(chain.rpc, market), market.parameters

        keys = [terms.order_key(deployment, nonce, wait, group, parameters) for group, nonce, wait in cases]
        asked = [(deployment, nonce, wait, terms.group_tuple(group)) for group, nonce, wait in cases]
        assert [OrderKey(*row) for row in await exchange.read_many(None, "order_key", asked)] == keys
        key_tuples = [(terms.key_tuple(key),) for key in keys]
        assert await exchange.read_many(None, "order_id", key_tuples) == [terms.order_id(key) for key in keys]
        assert await exchange.read_many(None, "minimum_deposit", key_tuples) == [
            terms.minimum_deposit(group, parameters) for group, _, _ in cases
        ]
        assert [terms.wait_duration_blocks(key) for key in keys] == [wait for _, _, wait in cases]
        assert [terms.max_charge_of(key) for key in keys] == [terms.max_charge(each[0], parameters) for each in cases]
        tenant = Address(chain.tenant.address)
        own = terms.deployment_id(chain.chain_id, market.exchange, tenant, salt)
        assert await exchange.read(None, "deployment_id", tenant, salt) == own

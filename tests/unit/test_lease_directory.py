"""What the manifest service is told of a lease: that a node is silent never means that there is none."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.chain.index import read_block
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.types import Lease, OrderId, OrderState, Permission, Version
from provider_agent.shell.lease_access import LeaseContext, NoLease
from provider_agent.shell.lease_directory import ChainLeases
from tests.fakes.market_node import MARKET, MarketNode, created, submitted, updated
from tests.markets import TENANT, US, make_group

LEASE = OrderId(created()[1]["order"])
ONE, TWO = Version(b"\x01" * 32), Version(b"\x02" * 32)
ACTIVE = (3, US, 40, 0, False, 100, 150, 300, 2_000, False, False)
OPEN = (1, 0, 0, 0, False, 0, 0, 0, 0, False, False)


@pytest.fixture
def node() -> MarketNode:
    node = MarketNode()
    node.add(submitted(ONE), created())
    node.add(updated(TWO, 2))
    node.views = {"lease": lambda lease: ACTIVE}
    return node


async def directory(node: MarketNode) -> ChainLeases:
    reader = MarketReader(node, MARKET)
    await reader.index.follow(await read_block(node))
    return ChainLeases(reader)


async def test_find__active_lease__has_terms_tenant_and_newest_version(node: MarketNode) -> None:
    found = await (await directory(node)).find(LEASE)

    lease = Lease(LEASE, US, OrderState.LEASE_ACTIVE, 40, False, 100, 150, 300)
    assert found == LeaseContext(lease, make_group(), TENANT, TWO)


async def test_find__order_that_is_not_matched_or_nobody_knows__is_unknown(node: MarketNode) -> None:
    node.views = {"lease": lambda lease: OPEN}
    leases = await directory(node)

    assert await leases.find(LEASE) is NoLease.UNKNOWN
    assert await leases.find(OrderId(b"\xff" * 32)) is NoLease.UNKNOWN


async def test_g12_find__logs_not_read_yet__is_unavailable_and_not_unknown(node: MarketNode) -> None:
    assert await ChainLeases(MarketReader(node, MARKET)).find(LEASE) is NoLease.UNAVAILABLE


@pytest.mark.parametrize("fault", [NodeUnavailable("no"), NodeRefused(-32000, "no", None)])
async def test_g12_find__node_does_not_answer__is_unavailable(node: MarketNode, fault: Exception) -> None:
    leases = await directory(node)
    node.faults["eth_call"] = [fault]

    assert await leases.find(LEASE) is NoLease.UNAVAILABLE


@pytest.mark.parametrize("answer", [None, "0x", 7])
async def test_g12_find__node_answers_nonsense__is_unavailable(node: MarketNode, answer: Any) -> None:
    leases = await directory(node)
    node._eth_call = lambda message, tag: answer  # type: ignore[method-assign]

    assert await leases.find(LEASE) is NoLease.UNAVAILABLE


async def test_g08_find__while_logs_are_read_again_after_a_reorganisation__knows_what_it_knew(node: MarketNode) -> None:
    reader = MarketReader(node, MARKET)
    await reader.index.follow(await read_block(node))
    node.reorganise(1, [], [])
    node.faults["eth_getLogs"] = [None, NodeUnavailable("no")]
    with pytest.raises(NodeUnavailable):
        await reader.index.follow(await read_block(node))

    found = await ChainLeases(reader).find(LEASE)

    assert isinstance(found, LeaseContext)


@pytest.mark.parametrize(
    ("permissions", "last_block", "found"),
    [
        (1, 0, Permission.UPDATE),
        (7, 0, Permission.UPDATE | Permission.FUND | Permission.SCALE),
        (2, 0, Permission.FUND),
        (1, -1, Permission(0)),
        (0, 2**40 - 1, Permission(0)),
    ],
)
async def test_e01_permissions__key__are_those_of_the_chain_to_the_last_block(
    node: MarketNode, permissions: int, last_block: int, found: Permission
) -> None:
    leases = await directory(node)
    newest = (await read_block(node)).number
    node.views = {"manager": lambda deployment, key: (permissions, newest + last_block, 0)}

    assert await leases.permissions(LEASE, TENANT) == found


async def test_e02_permissions__taken_away_in_a_block_that_was_not_followed_yet__are_none(node: MarketNode) -> None:
    reader = MarketReader(node, MARKET)
    await reader.index.follow(await read_block(node))
    leases = ChainLeases(reader)
    node.views = {"manager": lambda deployment, key: (1, 2**40 - 1, 0)}
    assert await leases.permissions(LEASE, TENANT) == Permission.UPDATE

    asked: list[object] = []
    answer = node._eth_call
    node._eth_call = lambda message, tag: (asked.append(tag), answer(message, tag))[1]  # type: ignore[method-assign]
    node.views = {"manager": lambda deployment, key: (0, 0, 0)}

    assert await leases.permissions(LEASE, TENANT) == Permission(0)
    assert asked == ["latest"]


async def test_g12_permissions__node_does_not_answer_or_nothing_was_read__is_unavailable(node: MarketNode) -> None:
    leases = await directory(node)
    node.faults["eth_call"] = [NodeUnavailable("no")]

    assert await leases.permissions(LEASE, TENANT) is NoLease.UNAVAILABLE
    assert await ChainLeases(MarketReader(node, MARKET)).permissions(LEASE, TENANT) is NoLease.UNAVAILABLE
    assert await leases.permissions(OrderId(b"\xff" * 32), TENANT) is NoLease.UNKNOWN


async def test_versions__lease__has_all_of_its_deployment(node: MarketNode) -> None:
    leases = await directory(node)

    assert leases.versions(LEASE) == (ONE, TWO)
    assert leases.versions(OrderId(b"\xff" * 32)) == ()

"""The loop between chain and engine: only a final block takes anything down, and only what was ordered runs."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from moorage import manifest
from moorage.chain.rpc import NodeUnavailable
from moorage.types import OrderState
from provider_agent.core.containers import ContainerState, Observed, ObservedContainer, sorted_labels
from tests.factories.proofs import final_block
from tests.fakes.lease_world import IDENTITY, LEASE, OTHER_LEASE, OTHER_ORDER, World, active, body, ended
from tests.markets import OTHERS


@pytest.fixture
async def world() -> World:
    """One lease that runs."""
    world = World({LEASE: active()}, {LEASE: active()})
    await world.deliver()
    await world.passes()
    assert len(await world.versions_seen()) == 1
    return world


async def test_pass__active_lease_without_a_manifest__starts_nothing() -> None:
    world = World({LEASE: active()})

    await world.passes()

    assert await world.engine.observe() == Observed()
    assert (await world.loop.status(LEASE)).version is None


async def test_pass__manifest_delivered__runs_and_tells_its_version(world: World) -> None:
    status = await world.loop.status(LEASE)

    assert status.version == manifest.version_of(body())
    assert [(each.name, each.state) for each in status.workloads] == [("web", "running")]


async def test_pass__lease_of_another_provider__starts_nothing() -> None:
    world = World({LEASE: active(provider=OTHERS)})
    await world.deliver()

    await world.passes()

    assert await world.engine.observe() == Observed()


SILENCES: dict[str, dict[str, Any]] = {
    "the node does not know it": {"final": {LEASE: None}},
    "the node has never heard of it": {"final": {}},
    "the node does not answer for leases": {"final": {LEASE: NodeUnavailable("no")}},
    "the node has no final block": {"fault": NodeUnavailable("no")},
    "it is active at the final block": {"final": {LEASE: active()}},
    "it is somebody else's": {"final": {LEASE: ended(OrderState.LEASE_CLOSED, provider=OTHERS)}},
    "it is open": {"final": {LEASE: ended(OrderState.OPEN)}},
    "the answer is a fault of ours": {"final": {LEASE: RuntimeError("a bug")}},
}


@pytest.mark.parametrize("does_restart", [False, True])
@pytest.mark.parametrize("silence", SILENCES.values(), ids=SILENCES.keys())
async def test_g12_pass__lease_is_missing_but_not_proved_over__keeps_everything(
    world: World, silence: dict[str, Any], does_restart: bool
) -> None:
    before = await world.engine.observe()
    world.leases = {}
    world.final, world.fault = silence.get("final", {}), silence.get("fault")
    if does_restart:
        world.restart()

    with capture_logs() as logs:
        await world.passes(3)

    assert await world.engine.observe() == before
    assert await world.store.leases() == {LEASE}
    assert world.loop.reset == frozenset()
    assert any(each["event"] == "proving failed" for each in logs) == isinstance(world.final.get(LEASE), RuntimeError)


@pytest.mark.parametrize("does_restart", [False, True])
@pytest.mark.parametrize("state", [OrderState.LEASE_STALE, OrderState.LEASE_CLOSING, OrderState.LEASE_CLOSED])
async def test_i20_pass__over_at_a_final_block__removes_all_and_then_says_that_it_is_reset(
    world: World, state: OrderState, does_restart: bool
) -> None:
    world.leases = {LEASE: ended(state)} if state is OrderState.LEASE_CLOSING else {}
    world.final = {LEASE: ended(state)}
    if does_restart:
        world.restart()

    await world.passes(2)

    assert await world.engine.observe() == Observed()
    assert await world.engine.kept_logs(LEASE) == frozenset()
    assert await world.store.leases() == frozenset()
    assert (LEASE in world.loop.reset) == (state is OrderState.LEASE_CLOSING)
    assert world.asked == [final_block(992), final_block(993)]


async def test_g08_pass__closing_at_the_newest_block_but_not_at_a_final_one__is_not_reset(world: World) -> None:
    before = await world.engine.observe()
    world.leases = {LEASE: ended(OrderState.LEASE_CLOSING)}

    await world.passes(2)

    assert (world.loop.reset, await world.engine.observe()) == (frozenset(), before)


async def test_pass__over_but_its_manifest_is_lost__is_removed_all_the_same(world: World) -> None:
    await world.store.remove(LEASE)
    world.leases, world.final = {}, {LEASE: ended(OrderState.LEASE_STALE)}

    await world.passes(2)

    assert await world.engine.observe() == Observed()
    assert await world.engine.kept_logs(LEASE) == frozenset()


async def test_pass__closing_with_a_manifest_but_nothing_that_runs__starts_nothing() -> None:
    world = World({LEASE: ended(OrderState.LEASE_CLOSING)}, {LEASE: active()})
    await world.deliver()

    await world.passes()

    assert await world.engine.observe() == Observed()


async def test_pass__closing_lease_that_never_had_a_manifest__is_reset() -> None:
    closing = {LEASE: ended(OrderState.LEASE_CLOSING)}
    world = World(closing, dict(closing))

    await world.passes(2)

    assert world.loop.reset == {LEASE}


async def test_i19_pass__labels_that_somebody_made_by_hand__are_left_alone_and_stop_nothing(world: World) -> None:
    for number, name in enumerate(["ff" * 32, "zz", "", "ab", "ff" * 33]):
        labels = sorted_labels({**dict(IDENTITY.labels), "moorage.lease": name})
        world.engine.put(ObservedContainer(f"odd-{number}", labels, ContainerState.RUNNING, frozenset(), ()))
    await world.passes()
    world.leases[OTHER_LEASE] = active(OTHER_ORDER)
    await world.deliver(OTHER_LEASE)

    await world.passes()

    assert {f"odd-{number}" for number in range(5)} <= world.engine.names()
    assert (await world.loop.status(OTHER_LEASE)).workloads[0].state == "running"


@pytest.mark.parametrize("does_restart", [False, True])
async def test_b18_pass__new_version_on_chain_only__the_manifest_that_is_here_keeps_running(
    world: World, does_restart: bool
) -> None:
    before = await world.engine.observe()
    world.versions[LEASE].append(manifest.version_of(body("web:2")))
    if does_restart:
        world.restart()

    await world.passes(2)

    assert await world.engine.observe() == before
    assert (await world.loop.status(LEASE)).version == manifest.version_of(body())


async def test_b18_pass__manifest_of_the_new_version_delivered__replaces_the_old(world: World) -> None:
    await world.deliver(encoded=body("web:2"))

    await world.passes(2)

    assert await world.versions_seen() == [manifest.version_of(body("web:2")).hex()]


async def test_g08_pass__update_of_the_manifest_is_undone__is_left_alone_until_it_comes_back(world: World) -> None:
    before = await world.engine.observe()
    versions, world.versions[LEASE] = world.versions[LEASE], []

    await world.passes(2)
    assert (await world.loop.status(LEASE)).version is None
    assert await world.engine.observe() == before

    world.versions[LEASE] = versions
    await world.passes()
    assert (await world.loop.status(LEASE)).version == versions[-1]


CORRUPTED = {
    "truncated": body()[:-2],
    "empty": b"",
    "another image": body("web:2"),
    "not canonical": body() + b" ",
    "random": b"\xff\x00" * 40,
}


@pytest.mark.parametrize("stored", CORRUPTED.values(), ids=CORRUPTED.keys())
async def test_pass__stored_manifest_is_corrupted__starts_nothing_and_says_so_once(stored: bytes) -> None:
    world = World({LEASE: active()}, {LEASE: active()}, versions={LEASE: [manifest.version_of(body())]})
    await world.store.put(LEASE, stored)

    with capture_logs() as logs:
        await world.passes(3)

    assert await world.engine.observe() == Observed()
    (complaint,) = [each for each in logs if each["log_level"] == "error"]
    assert complaint["event"] == "stored manifest is unusable, waiting for the tenant"
    assert complaint["lease"] == LEASE.hex()


@pytest.mark.parametrize("does_restart", [False, True])
@pytest.mark.parametrize("stored", CORRUPTED.values(), ids=CORRUPTED.keys())
async def test_pass__manifest_corrupted_while_it_runs__what_runs_is_left_alone(
    world: World, stored: bytes, does_restart: bool
) -> None:
    before = await world.engine.observe()
    await world.store.put(LEASE, stored)
    if does_restart:
        world.restart()

    await world.passes(2)

    assert await world.engine.observe() == before


async def test_h30_pass__manifest_on_chain_that_asks_more_than_the_lease__starts_nothing(world: World) -> None:
    world.leases = {OTHER_LEASE: active(OTHER_ORDER)}
    await world.deliver(OTHER_LEASE, body(memory=2**30 + 1))

    await world.passes()

    assert (await world.loop.status(OTHER_LEASE)).version is None
    assert len(await world.versions_seen()) == 1


async def test_pass__manifest_repaired_by_the_tenant__runs(world: World) -> None:
    world.leases[OTHER_LEASE] = active(OTHER_ORDER)
    await world.deliver(OTHER_LEASE)
    await world.store.put(OTHER_LEASE, b"")
    await world.passes()

    await world.deliver(OTHER_LEASE)
    await world.passes()

    assert len(await world.versions_seen()) == 2

"""The loop between chain and engine with leases that are not this provider's, or not any more."""

from __future__ import annotations

import pytest

from moorage.types import OrderState
from provider_agent.core.containers import ContainerState, Observed
from provider_agent.core.endings import REMOVE_AFTER_BLOCKS, STOP_AFTER_BLOCKS
from tests.fakes.lease_world import LEASE, OTHER_LEASE, OTHER_ORDER, World, active, ended
from tests.markets import OTHERS


@pytest.fixture
async def world() -> World:
    """Two leases that run."""
    leases = {LEASE: active(), OTHER_LEASE: active(OTHER_ORDER)}
    world = World(leases, dict(leases))
    for lease in leases:
        await world.deliver(lease)
    await world.passes()
    assert len(await world.versions_seen()) == 2
    return world


async def blocks_pass(world: World, blocks: int) -> None:
    """Let a pass take place after so many blocks, and one more."""
    await world.passes()
    world.block += blocks - 1
    await world.passes(2)


async def states(world: World) -> list[ContainerState]:
    found = (await world.engine.observe()).containers
    return [each.state for each in sorted(found, key=lambda each: LEASE.hex() not in each.name)]


@pytest.mark.parametrize("does_restart", [False, True])
async def test_g08_pass__match_is_undone_and_comes_back__stops_and_starts_the_container(
    world: World, does_restart: bool
) -> None:
    before = await world.engine.observe()
    lease = world.leases.pop(LEASE)
    world.final[LEASE] = None

    await blocks_pass(world, STOP_AFTER_BLOCKS - 2)
    assert await world.engine.observe() == before
    await blocks_pass(world, STOP_AFTER_BLOCKS)
    assert await states(world) == [ContainerState.EXITED, ContainerState.RUNNING]
    assert await world.store.leases() == {LEASE, OTHER_LEASE}

    if does_restart:
        world.restart()
    world.now += 10
    world.leases[LEASE] = lease
    await world.passes(2)

    after = await world.engine.observe()
    assert await states(world) == [ContainerState.RUNNING] * 2
    assert (after.networks, after.volumes) == (before.networks, before.volumes)
    restarts = [each.restarts for each in after.containers]
    # the engine does not say who has stopped it: a new agent counts a crash
    assert sum(restarts) == does_restart


@pytest.mark.parametrize("final", [None, ended(OrderState.LEASE_CLOSED, provider=OTHERS)])
async def test_i19_pass__never_ours_for_a_day__is_removed_and_the_others_are_not(world: World, final: object) -> None:
    del world.leases[LEASE]
    world.final[LEASE] = final  # type: ignore[assignment]
    await blocks_pass(world, STOP_AFTER_BLOCKS)
    assert await world.engine.kept_logs(LEASE) == frozenset()

    await blocks_pass(world, REMOVE_AFTER_BLOCKS)

    assert await world.engine.kept_logs(LEASE) == frozenset()
    assert await states(world) == [ContainerState.RUNNING]
    assert await world.store.leases() == {OTHER_LEASE}
    assert LEASE.hex() not in repr(await world.engine.observe())
    asked = len(world.asked)
    await world.passes(2)
    assert len(world.asked) == asked  # nobody has to be asked about it any more
    assert world.loop._endings.over == ()


async def test_g12_pass__one_final_block_says_over_and_the_next_says_active__keeps_everything(world: World) -> None:
    before = await world.engine.observe()
    del world.leases[LEASE]
    for final in (ended(OrderState.LEASE_CLOSED), active(), ended(OrderState.LEASE_CLOSED), active()):
        world.final[LEASE] = final
        await world.passes()

    assert await world.engine.observe() == before
    assert before != Observed()


async def test_g12_pass__final_block_does_not_move__keeps_everything(world: World) -> None:
    before = await world.engine.observe()
    del world.leases[LEASE]
    world.final[LEASE] = ended(OrderState.LEASE_CLOSED)
    block = world.block

    for _ in range(5):
        world.block = block
        await world.passes()

    assert await world.engine.observe() == before

"""The loop between chain and engine while one of them fails: nothing is concluded, and the next pass goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from structlog.testing import capture_logs

from moorage.types import OrderId, OrderState
from provider_agent.shell.engine import EngineRefused, EngineUnavailable
from tests.fakes.lease_world import LEASE, World, active, ended


@pytest.fixture
async def world() -> World:
    """One lease that runs."""
    world = World({LEASE: active()}, {LEASE: active()})
    await world.deliver()
    await world.passes()
    assert len(await world.versions_seen()) == 1
    return world


async def test_g14_pass__engine_does_not_answer__nothing_is_concluded_and_the_next_pass_goes_on(world: World) -> None:
    world.leases, world.final = {LEASE: ended(OrderState.LEASE_CLOSING)}, {LEASE: ended(OrderState.LEASE_CLOSING)}
    world.engine.failures = [EngineUnavailable("no answer")]

    await world.passes()
    assert world.loop.reset == frozenset()
    await world.passes(2)

    assert world.loop.reset == {LEASE}


async def test_g14_pass__engine_fails_and_answers_again__is_told(world: World) -> None:
    assert world.loop.engine_fault is None

    world.engine.failures = [EngineUnavailable("no answer")]
    await world.passes()
    assert world.loop.engine_fault == "no answer"

    await world.passes()
    assert world.loop.engine_fault is None


async def test_g14_pass__engine_fails_in_a_step__is_told(world: World) -> None:
    world.leases, world.final = {LEASE: ended(OrderState.LEASE_CLOSING)}, {LEASE: ended(OrderState.LEASE_CLOSING)}
    await world.passes()
    world.engine.failures = [None, EngineUnavailable("went away")]  # seen, and then nothing

    await world.passes()

    assert world.loop.engine_fault == "went away"


async def test_pass__something_cannot_be_removed__is_not_reset(world: World) -> None:
    world.leases, world.final = {LEASE: ended(OrderState.LEASE_CLOSING)}, {LEASE: ended(OrderState.LEASE_CLOSING)}
    world.engine.failures = [None, EngineRefused("busy")]

    await world.passes()

    assert world.loop.reset == frozenset()
    assert await world.store.leases() == {LEASE}


async def test_pass__fault_of_ours__is_logged_and_ends_nothing(world: World) -> None:
    world.final, world.leases = {LEASE: RuntimeError("a bug")}, {}
    stop = asyncio.Event()

    with capture_logs() as logs:
        world.loop.note(world.snapshot())
        running = asyncio.create_task(world.loop.run(stop))
        while not any(each["event"] == "proving failed" for each in logs):  # noqa: ASYNC110
            await asyncio.sleep(0)
        stop.set()
        world.loop.wake()
        await running

    assert world.engine.names()


async def test_i20_pass__disk_fails_while_an_ended_lease_is_forgotten__its_images_are_forgotten_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[OSError | None] = [OSError("no room"), None]
    forgotten: list[OrderId] = []

    async def keep_images(lease: OrderId, references: Collection[str]) -> None:
        if answers and (error := answers.pop(0)) is not None:
            raise error
        forgotten.append(lease)

    monkeypatch.setattr(world.runner, "keep_images", keep_images)
    world.leases, world.final = {}, {LEASE: ended(OrderState.LEASE_STALE)}

    await world.passes(4)

    assert forgotten == [LEASE]
    assert await world.store.leases() == frozenset()

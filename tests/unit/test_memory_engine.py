"""The engine in memory keeps the contract of engines, and fails when it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from provider_agent.core.containers import ContainerState, Labels, ObservedContainer
from provider_agent.shell.engine import EngineUnavailable
from provider_agent.shell.memory_engine import MemoryEngine
from tests.engine_contract import USR1_EXIT_CODE, EngineContract, container

OWNER: Labels = (("moorage.provider", "7"),)


@dataclass(slots=True)
class MemoryWorld:
    engine: MemoryEngine = field(
        default_factory=lambda: MemoryEngine(OWNER, clock=lambda: 1_000_000, images={"example/shell:1"})
    )
    owner: Labels = OWNER
    prefix: str = "test"
    image: str = "example/shell:1"
    absent_image: str = "example/absent:1"

    async def crash(self, name: str) -> None:
        self.engine.crash(name, USR1_EXIT_CODE)

    async def add_foreign_container(self, name: str) -> None:
        self.engine.put(ObservedContainer(name, (("moorage.provider", "8"),), ContainerState.RUNNING))

    async def has_container(self, name: str) -> bool:
        return name in self.engine.names()


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryEngine(EngineContract):
    pass


async def test_failures__given_in_order__are_raised_by_the_next_calls(world: MemoryWorld) -> None:
    world.engine.failures = [None, EngineUnavailable("gone")]

    await world.engine.observe()
    with pytest.raises(EngineUnavailable):
        await world.engine.ensure_container(container(world))
    await world.engine.ensure_container(container(world))

    assert world.engine.calls == ["observe", "ensure_container", "ensure_container"]

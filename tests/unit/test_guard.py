"""What guards an engine's host: the rules of its firewall, and the room on its disk."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provider_agent.core.disk import DiskUsage
from provider_agent.core.egress import let_out
from provider_agent.core.firewall import EgressPolicy
from provider_agent.core.lease_names import LeaseNames
from provider_agent.core.updates import name_beside
from provider_agent.engine_room import EngineRoom, Guard
from provider_agent.isolation_settings import Isolation
from provider_agent.shell import disk_watch
from provider_agent.shell.disk_usage import DiskLimits
from provider_agent.shell.disk_watch import DiskWatch
from provider_agent.shell.engine import EngineRefused
from provider_agent.shell.engine_probe import facts_of
from provider_agent.shell.firewall import NOT_YET
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY, LEASE, OTHER_LEASE, VERSION, lease_of, workload
from tests.full_pass import reconcile

FACTS = facts_of({}, {})
FAULT = "nft: refused"
ALLOWED = EgressPolicy(is_allowed=True)
OUT = let_out(lease_of(workload("web")), LeaseNames(IDENTITY, LEASE, VERSION), ALLOWED)
IN = lease_of(workload("web"), lease=OTHER_LEASE)


class Rules:
    """Stands for the firewall as the guard finds it."""

    def __init__(self, is_gone: bool) -> None:
        self.is_gone = is_gone
        self.fault: str | None = FAULT if is_gone else None

    async def keep(self) -> None:
        await asyncio.sleep(0)


class World:
    def __init__(self) -> None:
        images = {each.image for lease in (OUT, IN) for each in lease.containers}
        self.engine = MemoryEngine(IDENTITY.labels, clock=lambda: 1_000, images=images)
        self.runner = WorkloadRunner(self.engine, MemoryGateways(), lambda: 1_000, pass_seconds=60)

    async def start(self) -> None:
        await reconcile(self.runner, [OUT, IN], ())

    async def guarded(self, rules: object) -> dict[str, str | None]:
        """Guard for a short while, and return what is wrong."""
        room = EngineRoom(cast(Any, self.engine), FACTS, DiskLimits(False, False), cast(Any, rules))
        settings = SimpleNamespace(docker_url="unix:///nowhere", isolation=Isolation())
        guard = Guard(room, cast(Any, settings), self.runner, lambda: (OUT, IN))
        stop = asyncio.Event()
        task = asyncio.create_task(guard.run(stop))
        await asyncio.sleep(0.1)
        stop.set()
        await task
        return guard.faults

    async def names(self) -> list[str]:
        return [each.name for each in (await self.engine.observe()).containers]


@pytest.fixture
async def world() -> World:
    opened = World()
    await opened.start()
    return opened


async def test_i07_guard__rules_are_gone_for_good__what_goes_out_is_stopped_and_nothing_else(world: World) -> None:
    faults = await world.guarded(Rules(is_gone=True))

    assert await world.names() == [IN.containers[0].name]
    assert faults["firewall"] == FAULT
    (report,) = world.runner.reports(OUT)
    assert report.reason is not None and report.reason.startswith("stopped, as the rules that keep it from its host")


async def test_i07_guard__rules_are_gone_while_a_new_version_is_tried__it_is_stopped_too(world: World) -> None:
    (spec,) = OUT.containers
    (running,) = [each for each in (await world.engine.observe()).containers if each.name == spec.name]
    world.engine.put(replace(running, name=name_beside(spec)))
    await world.runner.look()

    await world.guarded(Rules(is_gone=True))

    assert await world.names() == [IN.containers[0].name]


async def test_i07_guard__one_cannot_be_stopped__the_others_are(world: World) -> None:
    (spec,) = OUT.containers
    (running,) = [each for each in (await world.engine.observe()).containers if each.name == spec.name]
    world.engine.put(replace(running, name=name_beside(spec)))
    await world.runner.look()
    world.engine.failures.append(EngineRefused("busy"))

    await world.guarded(Rules(is_gone=True))

    assert len(await world.names()) == 2


async def test_i07_guard__rules_are_there_or_nobody_keeps_any__nothing_is_stopped(world: World) -> None:
    assert (await world.guarded(Rules(is_gone=False)))["firewall"] is None
    assert (await world.guarded(None))["firewall"] is None

    assert len(await world.names()) == 2


async def test_i07_guard__rules_are_not_applied_yet__is_no_fault(world: World) -> None:
    rules = Rules(is_gone=False)
    rules.fault = NOT_YET

    assert (await world.guarded(rules))["firewall"] is None


async def test_i05_disk_watch__less_is_free_than_the_floor__is_told_until_there_is_room(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def measured(url: str) -> DiskUsage:
        return DiskUsage({}, {})

    monkeypatch.setattr(disk_watch, "measure", measured)
    watch = DiskWatch("", tmp_path, 10**18, lambda: (), world.runner)

    await watch.look()
    full = watch.fault
    watch._floor_bytes = 0
    await watch.look()

    assert full is not None and "bytes are free on the engine's disk, 1000000000000000000 should be" in full
    assert watch.fault is None


async def test_i05_disk_watch__disk_is_not_of_this_machine__is_no_fault(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    async def measure(url: str) -> DiskUsage:
        measured.append(url)
        return DiskUsage({}, {})

    monkeypatch.setattr(disk_watch, "measure", measure)
    watch = DiskWatch("there", tmp_path / "nowhere", 10**18, lambda: (), world.runner)

    await watch.look()
    await watch.look()

    assert (watch.fault, measured) == (None, ["there"])


async def test_i05_disk_watch__one_cannot_be_stopped__the_others_are(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def measured(url: str) -> DiskUsage:
        return DiskUsage({each.name: 10**12 for lease in (OUT, IN) for each in lease.containers}, {})

    monkeypatch.setattr(disk_watch, "measure", measured)
    world.engine.failures.append(EngineRefused("busy"))

    await DiskWatch("", tmp_path, 0, lambda: (OUT, IN), world.runner).look()

    assert len(await world.names()) == 1

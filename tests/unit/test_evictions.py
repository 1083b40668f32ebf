"""A container that has to go at once, and how it comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moorage.guarded_http import GuardedHttp
from moorage.reachable import PUBLIC
from moorage.types import OrderId
from provider_agent.core.containers import ContainerState
from provider_agent.core.egress import let_out
from provider_agent.core.firewall import EgressPolicy
from provider_agent.core.image_names import ImageRequest
from provider_agent.core.images import Pin
from provider_agent.core.lease_names import LeaseNames
from provider_agent.core.workload_health import STABLE_SECONDS
from provider_agent.core.workload_report import WorkloadReport, WorkloadState
from provider_agent.engine_room import call_in
from provider_agent.shell.engine import LogRange
from provider_agent.shell.image_ledger import ImageLedger
from provider_agent.shell.images import ImageOptions, Images
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.proofs import over
from tests.factories.workloads import IDENTITY, LEASE, NEXT_VERSION, OTHER_LEASE, VERSION, lease_of, workload
from tests.fakes.engine_images import FakeEngineImages
from tests.full_pass import reconcile

LEASE_OF_ONE = lease_of(workload("web"))
(SPEC,) = LEASE_OF_ONE.containers
CONTENT = "sha256:" + "ab" * 32
REASON = "stopped: its files took 151 MB of disk, 60 MB are leased"


class Clock:
    seconds = 1_000_000


def running(clock: Clock) -> tuple[WorkloadRunner, MemoryEngine]:
    engine = MemoryEngine(IDENTITY.labels, clock=lambda: clock.seconds, images={SPEC.image})
    return WorkloadRunner(engine, MemoryGateways(), clock=lambda: clock.seconds, pass_seconds=60), engine


async def reports(runner: WorkloadRunner) -> tuple[WorkloadReport, ...]:
    await reconcile(runner, [LEASE_OF_ONE], ())
    return runner.reports(LEASE_OF_ONE)


async def test_i05_evict__runs__is_gone_with_its_reason_until_it_may_start_anew() -> None:
    clock = Clock()
    runner, engine = running(clock)
    await reports(runner)

    assert await runner.evict(LEASE, SPEC.name, REASON)

    (report,) = await reports(runner)
    assert (report.state, report.reason) == (WorkloadState.FAILED, f"{REASON}; next attempt in 2 s")
    assert (await engine.observe()).containers == ()
    clock.seconds += 2
    (report,) = await reports(runner)
    assert (report.state, report.reason) == (WorkloadState.RUNNING, None)


async def test_i05_evict__its_tenant_asks_why__what_it_wrote_is_there_until_other_workloads_are_wanted() -> None:
    runner, engine = running(Clock())
    await reports(runner)

    await runner.evict(LEASE, SPEC.name, REASON)

    assert [each.text async for each in engine.logs(SPEC.name, LogRange())] == ["ready"]
    await reconcile(runner, [lease_of(workload("other"))], ())
    assert await engine.kept_logs(LEASE) == frozenset()


async def test_g14_evict__disk_does_not_let_go_of_logs__workloads_run_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(MemoryEngine, "forget_logs", fail)
    runner, _ = running(Clock())

    with capture_logs() as told:
        assert [each.state for each in await reports(runner)] == [WorkloadState.RUNNING]
    assert [each["event"] for each in told if each["log_level"] != "info"] == ["logs not forgotten"]


async def test_i05_i16_evict__again_and_again__waits_twice_as_long_each_time() -> None:
    clock = Clock()
    runner, engine = running(clock)
    waits = []
    for _ in range(4):
        await reports(runner)
        await runner.evict(LEASE, SPEC.name, REASON)
        began = clock.seconds
        while not (await engine.observe()).containers:
            clock.seconds += 1
            await reports(runner)
        waits.append(clock.seconds - began)

    assert waits == [2, 4, 8, 16]


async def test_i05_evict__after_a_long_time_in_which_all_was_well__waits_as_at_first() -> None:
    clock = Clock()
    runner, engine = running(clock)
    for pause in (2, 4):
        await reports(runner)
        await runner.evict(LEASE, SPEC.name, REASON)
        clock.seconds += pause
    await reports(runner)
    clock.seconds += STABLE_SECONDS

    await runner.evict(LEASE, SPEC.name, REASON)

    clock.seconds += 2
    await reports(runner)
    assert [each.state for each in (await engine.observe()).containers] == [ContainerState.RUNNING]


async def test_i05_i16_evict__image_is_pinned__waits_all_the_same(tmp_path: Path) -> None:
    clock = Clock()
    engine = MemoryEngine(IDENTITY.labels, clock=lambda: clock.seconds, images={CONTENT})
    runner = WorkloadRunner(engine, MemoryGateways(), lambda: clock.seconds, 0.05, await pinned(tmp_path, SPEC.image))
    await reports(runner)

    assert await runner.evict(LEASE, SPEC.name, REASON)

    (report,) = await reports(runner)
    assert (report.state, report.reason) == (WorkloadState.FAILED, f"{REASON}; next attempt in 2 s")
    assert (await engine.observe()).containers == ()


async def test_i05_evict__lease_waits_for_a_slow_registry__is_done_at_once(tmp_path: Path) -> None:
    clock = Clock()
    engine = MemoryEngine(IDENTITY.labels, clock=lambda: clock.seconds, images={SPEC.image, CONTENT})
    images = await pinned(tmp_path, SPEC.image)
    runner = WorkloadRunner(engine, MemoryGateways(), lambda: clock.seconds, 0.05, images)
    await reports(runner)
    images.pull = never  # type: ignore[method-assign]
    await reconcile(runner, [lease_of(workload("web"), workload("slow", image="example/slow:1"))], ())

    assert await runner.evict(LEASE, SPEC.name, REASON)

    assert (await engine.observe()).containers == ()
    await runner.carry_out([], [over(LEASE)])


async def pinned(path: Path, reference: str) -> Images:
    """Return images of which one is known to the lease already, and is on the engine."""
    ledger = ImageLedger(path / "images.json")
    await ledger.put(LEASE, reference, Pin(CONTENT, None))
    engine = FakeEngineImages()
    engine.provide(reference, CONTENT)
    return Images(engine, GuardedHttp(PUBLIC), ledger, "moorage-pulled-test", ImageOptions(), lambda: 1)


async def never(lease: OrderId, request: ImageRequest) -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def test_i07_call_in__rules_of_the_firewall_are_gone__what_is_let_out_is_stopped_also_where_it_is_tried() -> None:
    clock = Clock()
    engine = MemoryEngine(IDENTITY.labels, clock=lambda: clock.seconds, images={"example/web:1", "example/web:2"})
    runner = WorkloadRunner(engine, MemoryGateways(), clock=lambda: clock.seconds, pass_seconds=60)
    policy = EgressPolicy(is_allowed=True)
    old = let_out(LEASE_OF_ONE, LeaseNames(IDENTITY, LEASE, VERSION), policy)
    new = let_out(lease_of(workload("web", image="example/web:2")), LeaseNames(IDENTITY, LEASE, NEXT_VERSION), policy)
    inside = lease_of(workload("web"), lease=OTHER_LEASE)
    await reconcile(runner, [old, inside], ())
    await reconcile(runner, [new, inside], ())
    assert engine.names() == {SPEC.name, f"{SPEC.name}.next", *(each.name for each in inside.containers)}

    await call_in(runner, [new, inside], "no nft")

    assert engine.names() == {each.name for each in inside.containers}
    (report,) = runner.reports(new)
    assert "the rules that keep it from its host are gone: no nft" in (report.reason or "")

"""The runner on the engine in memory: it ends in the same state whatever fails in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from moorage.types import OrderId
from provider_agent.core.containers import ContainerState, Observed, ObservedContainer, PublishedPort
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from provider_agent.core.workload_report import WorkloadReport, WorkloadState
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import EngineError, EngineRefused, EngineUnavailable
from provider_agent.shell.gateways import Networks
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY, LEASE, NEXT_VERSION, OTHER_LEASE, connection, lease_of, workload
from tests.full_pass import reconcile

APP = lease_of(
    workload("app", connection(8000, "web"), depends_on=("cache",)),
    workload("cache", connection(6379, "app"), storage={"/data": 1}),
    workload("web", connection(80), depends_on=("app",)),
)
IMAGES = {DEFAULT_IMAGE, *(container.image for container in APP.containers)}


@dataclass(slots=True)
class Site:
    """An agent's engine and clock, and runners that may be restarted."""

    now_seconds: int = 1_000_000
    engine: MemoryEngine = field(init=False)
    gateways: MemoryGateways = field(default_factory=MemoryGateways)
    runner: WorkloadRunner = field(init=False)

    def __post_init__(self) -> None:
        self.engine = MemoryEngine(IDENTITY.labels, clock=lambda: self.now_seconds, images=set(IMAGES))
        self.restart()

    def restart(self, pass_seconds: float = 60) -> None:
        self.runner = WorkloadRunner(
            self.engine, self.gateways, clock=lambda: self.now_seconds, pass_seconds=pass_seconds
        )


@pytest.fixture
def site() -> Site:
    return Site()


def states(site: Site, lease: DesiredLease) -> dict[str, str]:
    return {report.name: report.state.value for report in site.runner.reports(lease)}


async def test_reconcile__new_lease__runs_with_an_address_and_then_does_nothing_more(site: Site) -> None:
    await reconcile(site.runner, [APP], ())
    port = site.runner.port(APP, "web:80")
    assert [report for report in site.runner.reports(APP) if report.name == "web"] == [
        WorkloadReport("web", WorkloadState.RUNNING, None, (f"http://127.0.0.1:{port}",))
    ]
    site.engine.calls.clear()

    await reconcile(site.runner, [APP], ())

    assert site.engine.calls == ["observe"]


@pytest.mark.parametrize("does_restart", [False, True])
async def test_reconcile__any_one_call_fails__ends_in_the_same_state(does_restart: bool) -> None:
    reference = Site()
    await reconcile(reference.runner, [APP], ())
    calls = len(reference.engine.calls)
    # observe, six networks, the gateway (image, networks, container), three images and containers, tuning, observe
    assert calls == 18

    for failing in range(calls):
        for error in (EngineUnavailable("gone"), EngineRefused("no")):
            site = Site()
            site.engine.failures = [*[None] * failing, error]
            for _ in range(4):
                with suppress(EngineError):
                    await reconcile(site.runner, [APP], ())
                if does_restart:
                    site.restart()
                site.now_seconds += 10

            assert timeless(await site.engine.observe()) == timeless(await reference.engine.observe())
            assert site.gateways.running == reference.gateways.running


def timeless(observed: Observed) -> Observed:
    return replace(observed, containers=tuple(replace(each, started_seconds=0) for each in observed.containers))


async def test_reconcile__engine_does_not_answer__says_so_and_keeps_the_last_reports(site: Site) -> None:
    await reconcile(site.runner, [APP], ())
    site.engine.failures = [EngineUnavailable("gone")]

    with pytest.raises(EngineUnavailable):
        await reconcile(site.runner, [APP], (LEASE,))

    assert set(states(site, APP).values()) == {"running"}
    assert not site.runner.is_reset(LEASE)


async def test_reconcile__image_is_nowhere__reports_it_waits_longer_each_time_and_recovers(site: Site) -> None:
    missing = APP.workloads[0].replicas[0].image
    site.engine.images.discard(missing)
    waits = []
    for _ in range(3):
        await reconcile(site.runner, [APP], ())
        failed = site.runner.reports(APP)[0]
        waits.append(failed.reason)
        site.now_seconds += 10

    assert failed.state is WorkloadState.FAILED
    assert waits == [f"image {missing} was not found; next attempt in {wait} s" for wait in (2, 4, 8)]
    site.engine.images.add(missing)
    await reconcile(site.runner, [APP], ())
    assert set(states(site, APP).values()) == {"running"}


async def test_i15_reconcile__dependency_does_not_come_up__what_depends_on_it_is_not_made(site: Site) -> None:
    site.engine.images.discard("example/cache:1")

    await reconcile(site.runner, [APP], ())

    assert {each.label("moorage.workload") for each in (await site.engine.observe()).containers} == {""}
    assert states(site, APP) == {"app": "starting", "cache": "failed", "web": "starting"}
    site.now_seconds += 10
    site.engine.images.add("example/cache:1")
    await reconcile(site.runner, [APP], ())
    assert set(states(site, APP).values()) == {"running"}


async def test_reconcile__workload_that_failed_is_dropped_and_comes_back__is_tried_at_once(site: Site) -> None:
    both = lease_of(workload("web"), workload("app", image="example/late:1"))
    await reconcile(site.runner, [both], ())
    await reconcile(site.runner, [lease_of(workload("web"))], ())
    site.engine.images.add("example/late:1")

    await reconcile(site.runner, [both], ())

    assert states(site, both) == {"app": "running", "web": "running"}


async def test_i10_reconcile__a_stranger_listens_on_the_gateway_s_port__gets_another_one(site: Site) -> None:
    web = lease_of(workload("web", connection(80)))
    await reconcile(site.runner, [web], ())
    port = site.runner.port(web, "web:80")
    assert port is not None
    await reconcile(site.runner, [], (LEASE,))
    theirs = (PublishedPort(80, "127.0.0.1", port),)
    site.engine.put(ObservedContainer("stranger", (), ContainerState.RUNNING, published=theirs))

    for _ in range(2):
        await reconcile(site.runner, [web], ())
        site.now_seconds += 10

    assert states(site, web) == {"web": "running"}
    assert site.runner.port(web, "web:80") not in (port, None)


async def test_reconcile__lease_that_failed_is_dropped_and_comes_back__is_tried_at_once(site: Site) -> None:
    broken = lease_of(workload("web", image="example/late:1"))
    await reconcile(site.runner, [broken], ())
    site.runner.forget(LEASE)
    site.engine.images.add("example/late:1")

    await reconcile(site.runner, [broken], ())

    assert states(site, broken) == {"web": "running"}


async def test_reconcile__pull_that_never_ends__delays_no_other_lease(site: Site) -> None:
    site.restart(pass_seconds=1)
    site.engine.endless_images.add("example/tarpit:1")
    stuck = [
        lease_of(workload("web", image="example/tarpit:1"), lease=OrderId(bytes([number]) * 32)) for number in range(9)
    ]
    await reconcile(site.runner, stuck, ())

    await reconcile(site.runner, [*stuck, APP], ())

    assert set(states(site, APP).values()) == {"running"}
    assert states(site, stuck[0]) == {"web": "starting"}


async def test_reconcile__lease_ends_during_a_pull__is_reset(site: Site) -> None:
    site.restart(pass_seconds=1)
    site.engine.endless_images.add("example/tarpit:1")
    stuck = lease_of(workload("web", connection(80), image="example/tarpit:1"))
    await reconcile(site.runner, [stuck], ())
    assert not site.runner.is_reset(LEASE)

    await reconcile(site.runner, [], [LEASE])

    assert site.runner.is_reset(LEASE)
    assert await site.engine.observe() == Observed()


class SlowEngine(MemoryEngine):
    """Takes longer than a pass to end a container."""

    async def remove_container(self, name: str, *, at_once: bool = False) -> None:
        await asyncio.sleep(0.08)
        await super().remove_container(name, at_once=at_once)


async def test_i20_reconcile__removal_takes_longer_than_a_pass__goes_on_and_is_not_begun_anew(site: Site) -> None:
    site.engine = SlowEngine(IDENTITY.labels, clock=lambda: site.now_seconds, images=set(IMAGES))
    site.restart()
    await reconcile(site.runner, [APP], ())
    site.restart(pass_seconds=0.05)
    containers = len(APP.containers) + 1
    async with asyncio.timeout(60):
        while not site.runner.is_reset(LEASE):
            await reconcile(site.runner, [], (LEASE,))
            await asyncio.sleep(0.02)

    assert site.engine.calls.count("remove_container") == containers
    assert await site.engine.observe() == Observed()


class OddGateways(MemoryGateways):
    """Has a fault for one lease that nobody has thought of."""

    async def tune(self, lease: DesiredLease, networks: Networks) -> None:
        if lease.lease == OTHER_LEASE:
            raise ValueError("odd")
        await super().tune(lease, networks)


async def test_reconcile__steps_of_one_lease_end_in_a_fault_of_ours__other_leases_run(site: Site) -> None:
    site.gateways = OddGateways()
    site.restart()
    other = lease_of(workload("web", connection(80)), lease=OTHER_LEASE)

    with capture_logs() as logs:
        await reconcile(site.runner, [other, APP], ())

    assert set(states(site, APP).values()) == {"running"}
    assert [each["lease"] for each in logs if each["event"] == "steps failed"] == [OTHER_LEASE.hex()]


async def test_reconcile__image_of_one_lease_is_nowhere__other_leases_run(site: Site) -> None:
    broken = lease_of(workload("web", image="example/absent:1"), lease=OTHER_LEASE)

    await reconcile(site.runner, [broken, APP], ())

    assert states(site, broken) == {"web": "failed"}
    assert set(states(site, APP).values()) == {"running"}


async def test_reconcile__crashed__starts_again_and_counts(site: Site) -> None:
    await reconcile(site.runner, [APP], ())
    web = APP.containers[2].name
    for count in (1, 2, 3):
        site.engine.crash(web, 1)
        await reconcile(site.runner, [APP], ())
        assert states(site, APP)["web"] == "restarting"
        site.restart()
        site.now_seconds += 300
        await reconcile(site.runner, [APP], ())
        assert site.runner.reports(APP)[2].reason == f"restarts after crashes: {count}"


async def test_reconcile__lease_has_ended__leaves_nothing_of_it_and_all_of_the_others(site: Site) -> None:
    other = lease_of(workload("web", connection(80)), lease=OTHER_LEASE)
    await reconcile(site.runner, [APP, other], ())

    await reconcile(site.runner, [other], (LEASE,))

    assert (site.runner.is_reset(LEASE), site.runner.is_reset(OTHER_LEASE)) == (True, False)
    assert [each.state for each in (await site.engine.observe()).containers] == [ContainerState.RUNNING] * 2
    assert site.gateways.files.keys() == {OTHER_LEASE}


async def test_reconcile__lease_is_not_mentioned__keeps_running(site: Site) -> None:
    await reconcile(site.runner, [APP], ())
    before = await site.engine.observe()
    site.restart()

    await reconcile(site.runner, [], ())

    assert await site.engine.observe() == before


async def test_reconcile__new_version__keeps_what_did_not_change(site: Site) -> None:
    site.engine.images.add("example/web:2")
    before = lease_of(workload("web"), workload("app"))
    await reconcile(site.runner, [before], ())
    kept = next(each for each in (await site.engine.observe()).containers if "-app-" in each.name)
    after = lease_of(workload("web", image="example/web:2"), workload("app"), version=NEXT_VERSION)
    site.engine.calls.clear()

    await reconcile(site.runner, [after], ())

    assert site.engine.calls == ["observe", "ensure_image", "ensure_container", "observe"]
    assert kept in (await site.engine.observe()).containers
    assert states(site, after) == {"app": "running", "web": "running"}


async def test_carry_out__steps_were_cancelled__the_next_pass_takes_them_again(site: Site) -> None:
    site.restart(pass_seconds=1)
    site.engine.endless_images |= IMAGES
    others = asyncio.all_tasks()
    await reconcile(site.runner, [APP], ())
    steps = asyncio.all_tasks() - others
    for task in steps:
        task.cancel()
    await asyncio.wait(steps)
    site.engine.endless_images.clear()

    await reconcile(site.runner, [APP], ())

    assert set(states(site, APP).values()) == {"running"}

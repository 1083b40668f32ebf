"""A job: a workload that is done when it has ended with 0. What has ended otherwise is started again, as ever."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from moorage.workload_health import Health
from provider_agent.core.containers import ContainerState, HealthState, ObservedContainer
from provider_agent.core.gateway_container import DEFAULT_IMAGE
from provider_agent.core.gateway_state import ConnectionReport, ConnectionState
from provider_agent.core.workload_report import WorkloadReport, WorkloadState
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.memory_engine import MemoryEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.factories.workloads import IDENTITY, LEASE, NEXT_VERSION, connection, lease_of, workload
from tests.full_pass import reconcile

JOB = lease_of(workload("job", restart="on-failure"))
NAME = JOB.workload_containers[0].name
LONG_SECONDS = 100_000
ENDED = "exit code 0 at 2001-09-09T01:46:40Z"
CHECKED = Health(
    http=None, tcp_port=None, command=("check",), interval_seconds=1, timeout_seconds=1, retries=1, start_seconds=0
)


@dataclass
class Site:
    now_seconds: int = 1_000_000_000
    engine: MemoryEngine = field(init=False)
    gateways: MemoryGateways = field(default_factory=MemoryGateways)
    runner: WorkloadRunner = field(init=False)

    def __post_init__(self) -> None:
        images = {DEFAULT_IMAGE, *(f"example/{name}" for name in ("job:1", "job:2", "web:1", "db:1"))}
        self.engine = MemoryEngine(IDENTITY.labels, clock=lambda: self.now_seconds, images=images)
        self.restart()

    def restart(self) -> None:
        self.runner = WorkloadRunner(self.engine, self.gateways, clock=lambda: self.now_seconds, pass_seconds=60)

    async def step(self, wanted: DesiredLease, seconds: int = 0) -> list[WorkloadReport]:
        """Let time pass, make one pass, and return how the workloads are."""
        self.now_seconds += seconds
        await reconcile(self.runner, [wanted], ())
        return list(self.runner.reports(wanted))

    async def found(self, name: str = NAME) -> ObservedContainer:
        return next(each for each in (await self.engine.observe()).containers if each.name == name)


@pytest.fixture
async def site() -> Site:
    """A job that has ended with 0."""
    site = Site()
    await site.step(JOB)
    site.engine.crash(NAME, 0)
    return site


@pytest.mark.parametrize("does_restart", [False, True])
async def test_i18_job__ended_with_0__is_done_and_never_started_again(site: Site, does_restart: bool) -> None:
    for _ in range(3):
        if does_restart:
            site.restart()
        assert await site.step(JOB, LONG_SECONDS) == [WorkloadReport("job", WorkloadState.DONE, ENDED, ())]

    assert (await site.found()).restarts == 0
    assert site.runner.next_attempt(JOB) is None


@pytest.mark.parametrize("code", [1, 137, 255])
async def test_i16_job__ended_otherwise__is_started_again_with_the_usual_pauses(code: int) -> None:
    site = Site()
    await site.step(JOB)
    for pause in (1, 2, 4):
        site.engine.crash(NAME, code)
        (report,) = await site.step(JOB, pause - 1)
        assert (report.state, (await site.found()).state) == (WorkloadState.RESTARTING, ContainerState.EXITED)
        await site.step(JOB, 1)
        assert (await site.found()).state is ContainerState.RUNNING

    site.engine.crash(NAME, 0)

    assert (await site.step(JOB))[0].state is WorkloadState.DONE


async def test_workload__not_a_job_and_ended_with_0__is_started_again() -> None:
    site, wanted = Site(), lease_of(workload("job"))
    await site.step(wanted)
    site.engine.crash(NAME, 0)

    assert (await site.step(wanted))[0].state is WorkloadState.RESTARTING
    await site.step(wanted, 1)
    assert ((await site.found()).state, (await site.found()).restarts) == (ContainerState.RUNNING, 1)


async def test_job__done_and_its_new_version_is_another__is_started_again(site: Site) -> None:
    other = lease_of(workload("job", restart="on-failure", env={"DAY": "2"}), version=NEXT_VERSION)

    assert (await site.step(other))[0].state is WorkloadState.RUNNING
    site.engine.crash(NAME, 0)
    assert (await site.step(other, LONG_SECONDS))[0].state is WorkloadState.DONE


async def test_job__done_and_only_others_change__is_not_done_twice(site: Site) -> None:
    both = lease_of(workload("job", connection(80), restart="on-failure"), workload("web"), version=NEXT_VERSION)

    assert [each.state.value for each in await site.step(both)] == ["done", "running"]
    assert (await site.found()).exit_code == 0


async def test_job__done_and_no_job_any_more__is_started_again(site: Site) -> None:
    always = lease_of(workload("job"), version=NEXT_VERSION)

    await site.step(always, 10)

    assert (await site.found()).state is ContainerState.RUNNING


async def test_workload__is_made_a_job__goes_on_and_is_done_at_its_next_end() -> None:
    site = Site()
    await site.step(lease_of(workload("job")))
    began = await site.found()

    assert (await site.step(JOB, 10))[0].state is WorkloadState.RUNNING
    assert await site.found() == began
    site.engine.crash(NAME, 0)
    assert (await site.step(JOB, 10))[0].state is WorkloadState.DONE


async def test_job__runs_and_is_changed__is_replaced_and_never_runs_twice_at_a_time() -> None:
    site = Site()
    await site.step(JOB)
    new = lease_of(workload("job", restart="on-failure", image="example/job:2"), version=NEXT_VERSION)

    for _ in range(10):
        await site.step(new, 1)

        assert site.engine.names() == {NAME}
        assert (await site.found()).digest == new.workload_containers[0].digest


async def test_i15_job__done__is_enough_for_what_depends_on_it(site: Site) -> None:
    wanted = lease_of(workload("job", restart="on-failure", health=None), workload("web", depends_on=("job",)))

    assert [each.state.value for each in await site.step(wanted)] == ["done", "running"]


async def test_i15_job__was_done_in_another_version__is_not_enough_for_what_depends_on_it(site: Site) -> None:
    site.engine.images.discard("example/job:2")
    changed = workload("job", restart="on-failure", image="example/job:2")
    wanted = lease_of(changed, workload("web", depends_on=("job",)), version=NEXT_VERSION)

    assert [each.state.value for each in await site.step(wanted)] == ["failed", "starting"]
    assert site.engine.names() == {NAME}


async def test_job__has_health__is_not_looked_at_after_the_end() -> None:
    site, wanted = Site(), lease_of(workload("job", restart="on-failure", health=CHECKED), workload("web"))
    await site.step(wanted)
    site.engine.put(replace(await site.found(), health=HealthState.HEALTHY))
    site.engine.crash(NAME, 0)
    site.engine.put(replace(await site.found(), health=HealthState.UNHEALTHY))

    assert [each.state.value for each in await site.step(wanted, LONG_SECONDS)] == ["done", "running"]


async def test_job__some_replicas_are_done__is_as_the_others() -> None:
    site, wanted = Site(), lease_of(workload("job", restart="on-failure", count=2))
    await site.step(wanted)
    site.engine.crash(NAME, 0)

    (report,) = await site.step(wanted)

    assert (report.state, report.reason) == (WorkloadState.RUNNING, f"replica 0: {ENDED}")


async def test_job__done__its_gateway_and_connections_do_not_matter_to_it_any_more() -> None:
    wanted = lease_of(workload("job", connection(80), restart="on-failure"), workload("db", connection(5432, "job")))
    site = Site()
    await site.step(wanted)
    site.engine.crash(NAME, 0)
    gateway = next(name for name in site.engine.names() if name.startswith("mg"))
    site.engine.crash(gateway, 1)

    await site.step(wanted)
    down = ConnectionReport("job", "db", 5432, ConnectionState.DOWN, "no answer")

    report = next(each for each in site.runner.reports(wanted, [down]) if each.name == "job")

    assert report == WorkloadReport("job", WorkloadState.DONE, ENDED, ())


async def test_job__stopped_by_the_agent_and_ended_with_0__is_not_taken_for_done() -> None:
    site = Site()
    await site.step(JOB)
    await site.runner.look()
    await site.runner.carry_out([], (), [LEASE])
    site.engine.put(replace(await site.found(), exit_code=0))

    await site.step(JOB)

    assert (await site.found()).state is ContainerState.RUNNING


async def test_job__done__keeps_what_it_wrote_and_goes_with_its_lease(site: Site) -> None:
    await site.step(JOB, LONG_SECONDS)
    assert NAME in site.engine.names()

    await reconcile(site.runner, [], [LEASE])

    assert site.engine.names() == frozenset()

"""Health on a real engine: who waits for whom, and a workload that runs but does not work is started anew."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from moorage.types import OrderId
from moorage.workload_health import Health
from provider_agent.core.containers import HealthState
from provider_agent.core.workloads import DesiredLease, Identity, desired_lease
from provider_agent.shell.docker_engine import DockerEngine
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.docker_world import IMAGE, OPTIONS, DockerWorld, docker_world, engine_url
from tests.factories.workloads import GROUP, VERSION, manifest, workload

URL = engine_url()
pytestmark = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
FOREVER = ("/bin/sh", "-c", "while :; do /bin/sleep 1; done")
LATE = ("/bin/sh", "-c", "/bin/sleep 2; echo up > /tmp/up; while :; do /bin/sleep 1; done")
IS_UP = Health(
    http=None,
    tcp_port=None,
    command=("/bin/cat", "/tmp/up"),
    interval_seconds=1,
    timeout_seconds=5,
    retries=2,
    start_seconds=0,
)


@dataclass
class Place:
    world: DockerWorld
    identity: Identity
    lease: OrderId
    runner: WorkloadRunner

    def wanted(self, **workloads: dict[str, object]) -> DesiredLease:
        made = [
            workload(name, **{"image": IMAGE, "command": FOREVER, "read_only": True, **each})
            for name, each in workloads.items()
        ]
        return desired_lease(self.identity, self.lease, manifest(*made), GROUP, VERSION)

    async def until(self, wanted: DesiredLease, **states: str) -> dict[str, str | None]:
        """Make passes until the workloads are in these states; returns the reasons."""
        async with asyncio.timeout(120):
            while True:
                await self.runner.look()
                await self.runner.carry_out([wanted])
                found = {each.name: each for each in self.runner.reports(wanted)}
                if all(found[name].state.value == state for name, state in states.items()):
                    return {name: each.reason for name, each in found.items()}
                await asyncio.sleep(0.2)

    async def started(self) -> dict[str, str]:
        """Return when each container was started, by host name."""
        seen = await self.world.engine.observe(self.lease)
        shown = [await self.world.docker.containers.container(each.name).show() for each in seen.containers]
        return {each["Config"]["Hostname"]: each["State"]["StartedAt"] for each in shown}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    assert URL is not None
    async with docker_world(URL) as world:
        identity = Identity(31_337, "0x" + secrets.token_hex(20), 7)  # type: ignore[arg-type]
        engine = DockerEngine(world.docker, identity.labels, OPTIONS)
        world.engine = engine
        lease = OrderId(secrets.token_bytes(32))
        place = Place(world, identity, lease, WorkloadRunner(engine, MemoryGateways(), time.time))
        try:
            yield place
        finally:
            seen = await engine.observe()
            for container in seen.containers:
                await engine.remove_container(container.name)
            for network in seen.networks:
                await engine.remove_network(network.name)
            for volume in seen.volumes:
                await engine.remove_volume(volume.name)


async def test_i15_runner__three_in_a_chain__each_starts_when_the_one_before_is_healthy(place: Place) -> None:
    patient = msgspec.structs.replace(IS_UP, start_seconds=30)
    wanted = place.wanted(
        app={"depends_on": ("db",), "command": LATE, "health": patient},
        db={"command": LATE, "health": patient},
        web={"depends_on": ("app",)},
    )

    reasons = await place.until(wanted, web="starting")
    assert reasons["web"] == "waits for app"
    assert "web-0" not in await place.started()
    await place.until(wanted, db="running", app="running", web="running")

    started = await place.started()
    assert started["db-0"] < started["app-0"] < started["web-0"]


async def test_i16_runner__unhealthy__is_started_anew_and_says_so(place: Place) -> None:
    wanted = place.wanted(web={"health": IS_UP})
    await place.until(wanted, web="starting")
    first = await place.started()

    reasons = await place.until(wanted, web="restarting")
    assert reasons["web"] is not None
    assert "not healthy; restart" in reasons["web"]
    async with asyncio.timeout(120):
        while await place.started() == first:
            await place.until(wanted)
            await asyncio.sleep(0.2)

    (found,) = (await place.world.engine.observe(place.lease)).containers
    assert found.restarts >= 1
    assert found.health is not HealthState.HEALTHY


async def test_i18_runner__job_that_fails_once_and_then_ends_with_0__is_done_for_whoever_looks(place: Place) -> None:
    twice = ("/bin/sh", "-c", "/bin/cat /kept/begun && exit 0; echo > /kept/begun; exit 3")
    job = {"command": twice, "restart": "on-failure", "storage": {"/kept": 1_000_000}, "user": "0:0"}
    wanted = place.wanted(job=job, web={"depends_on": ("job",)})

    reasons = await place.until(wanted, job="done", web="running")
    before = await place.started()
    place.runner = WorkloadRunner(place.world.engine, MemoryGateways(), time.time)
    again = await place.until(wanted, job="done", web="running")

    assert reasons == again and str(reasons["job"]).startswith("exit code 0 at 20")
    assert await place.started() == before
    (found,) = (each for each in (await place.world.engine.observe(place.lease)).containers if "-job-" in each.name)
    assert (found.restarts, found.exit_code) == (1, 0)

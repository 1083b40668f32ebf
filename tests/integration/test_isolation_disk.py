"""Disk that was not leased, on a real engine whose storage has no quotas: seen, stopped and told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from moorage.types import OrderId, Version
from provider_agent.core.containers import ContainerSpec, VolumeMount, sorted_labels
from provider_agent.core.lease_names import LEASE_LABEL
from provider_agent.core.workload_report import WorkloadState
from provider_agent.core.workloads import DesiredLease, DesiredWorkload
from provider_agent.shell.disk_usage import measure, try_limits
from provider_agent.shell.disk_watch import DiskWatch
from provider_agent.shell.memory_gateways import MemoryGateways
from provider_agent.shell.workload_runner import WorkloadRunner
from tests.docker_world import DockerWorld, docker_world, engine_url
from tests.engine_contract import container
from tests.probe_image import IMAGE, PYTHON, import_probe_image

URL = engine_url()
pytestmark = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
LEASE = OrderId(b"\x05" * 32)
PATIENCE_SECONDS = 120
MEGABYTE = 1_000_000
LEASED = 8 * MEGABYTE
WRITES_TWICE_AS_MUCH = """
import sys, time
for number in range(4):
    with open(f"{sys.argv[1]}/{number}", "wb") as file:
        file.write(bytes(4 * 10**6))
while True:
    time.sleep(1)
"""
ONE_LARGE_FILE = """
import os
try:
    with open("/large", "wb", buffering=0) as file:
        os.unlink("/large")  # where no measuring sees it
        for _ in range(20):
            file.write(bytes(10**6))
finally:
    print("stopped")
"""


@pytest.fixture
async def world() -> AsyncIterator[DockerWorld]:
    assert URL is not None
    async with docker_world(URL) as opened:
        await import_probe_image(opened.docker)
        yield opened


def lease_of(*specs: ContainerSpec) -> DesiredLease:
    workload = DesiredWorkload("web", specs)
    return DesiredLease(LEASE, Version(b"\x01" * 32), (workload,), ())


def writing(world: DockerWorld, where: str, **changes: object) -> ContainerSpec:
    command = (str(PYTHON), "-c", WRITES_TWICE_AS_MUCH, where)
    plain = container(world, image=IMAGE, command=command, user="0:0", memory_bytes=2**26)
    labels = sorted_labels({**dict(plain.labels), LEASE_LABEL: LEASE.hex()})
    return replace(plain, labels=labels, layer_bytes=LEASED, **changes)  # type: ignore[arg-type]


async def until_stopped(world: DockerWorld, lease: DesiredLease) -> WorkloadRunner:
    """Run a lease and watch it until the watch has stopped its container."""
    assert URL is not None
    runner = WorkloadRunner(world.engine, MemoryGateways(), time.time)
    watch = DiskWatch(URL, Path("/"), 0, lambda: (lease,), runner)
    await runner.look()
    await runner.carry_out([lease])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await watch.look()
            await runner.look()
            if not (await world.engine.observe()).containers:
                return runner
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("where", ["/", "/data"])
async def test_i05_workload__writes_twice_of_what_was_leased__is_stopped_and_its_tenant_told(
    world: DockerWorld, where: str
) -> None:
    mounts = (VolumeMount(f"{world.prefix}-data", "/data", LEASED),) if where == "/data" else ()
    lease = lease_of(writing(world, where, mounts=mounts))

    runner = await until_stopped(world, lease)

    (report,) = runner.reports(lease)
    assert report.state is WorkloadState.FAILED
    what = "its files" if where == "/" else "/data"
    assert report.reason is not None
    assert report.reason.startswith(f"stopped: {what} took ")
    assert "8 MB are leased; next attempt in" in report.reason


async def test_i05_workload__fills_a_volume_that_only_its_image_asks_for__is_stopped(world: DockerWorld) -> None:
    image = f"{world.prefix}-volume:latest"
    await commit(world, image, "VOLUME /v")
    lease = lease_of(replace(writing(world, "/v"), image=image))

    try:
        runner = await until_stopped(world, lease)
    finally:
        await world.docker.images.delete(image, force=True)

    (report,) = runner.reports(lease)
    assert report.reason is not None and report.reason.startswith("stopped: its files took ")


async def commit(world: DockerWorld, image: str, change: str) -> None:
    """Make an image that differs from the usual one by an instruction of a Dockerfile."""
    name, _, tag = image.partition(":")
    made = await world.docker.containers.create({"Image": IMAGE, "Cmd": ["-"]}, name=f"{name}-base")
    parameters = {"container": made.id, "repo": name, "tag": tag, "changes": change}
    await world.docker._query_json("commit", "POST", params=parameters)
    await made.delete()


async def test_i05_workload__stopped_for_its_disk__starts_anew_on_a_fresh_layer(world: DockerWorld) -> None:
    lease = lease_of(writing(world, "/"))
    runner = await until_stopped(world, lease)
    (spec,) = lease.containers

    tame = lease_of(replace(spec, command=("/bin/sh", "-c", "echo /*; echo end; sleep 600")))
    output: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "end" not in output:
            await asyncio.sleep(0.2)
            await runner.look()
            await runner.carry_out([tame])
            if (await world.engine.observe()).containers:
                output = "".join(await world.docker.containers.container(spec.name).log(stdout=True)).split()

    assert "/tmp" in output and "/0" not in output


async def test_i05_workload__within_its_disk__goes_on(world: DockerWorld) -> None:
    assert URL is not None
    lease = lease_of(replace(writing(world, "/"), layer_bytes=20 * MEGABYTE))
    runner = WorkloadRunner(world.engine, MemoryGateways(), time.time)
    watch = DiskWatch(URL, Path("/"), 0, lambda: (lease,), runner)
    await runner.look()
    await runner.carry_out([lease])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await measure(URL)).layers[lease.containers[0].name] < 16 * MEGABYTE:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    await watch.look()

    assert len((await world.engine.observe()).containers) == 1


async def test_i05_workload__one_file_beyond_all_its_disk__cannot_be_written_even_when_it_is_deleted(
    world: DockerWorld,
) -> None:
    plain = container(world, image=IMAGE, command=(str(PYTHON), "-c", ONE_LARGE_FILE), user="0:0")

    await world.engine.ensure_container(replace(plain, memory_bytes=2**23, layer_bytes=LEASED))

    assert "File too large" in await world.output(plain.name)


async def test_i05_logs__endless__are_cut(world: DockerWorld) -> None:
    flood = "i=0; while [ $i -lt 120000 ]; do echo " + "x" * 200 + "; i=$((i+1)); done; echo last"
    spec = replace(container(world, command=("/bin/sh", "-c", flood)), milli_cpu=1_000)
    await world.engine.ensure_container(spec)
    await world.docker.containers.container(spec.name).wait()

    inspected = await world.docker.containers.container(spec.name).show()
    sizes = log_sizes(inspected["LogPath"])
    assert 0 < len(sizes) <= 2
    assert sum(sizes) <= 2 * 5 * 1024 * 1024 + 2**16


def log_sizes(path: str) -> list[int]:
    return [each.stat().st_size for each in Path(path).parent.glob(f"{Path(path).name}*")]


async def test_try_limits__any_engine__says_what_it_found_and_leaves_nothing(world: DockerWorld) -> None:
    assert URL is not None
    before = await names(world)

    limits = await try_limits(URL, IMAGE)

    assert limits.of_layers or limits.why_not
    new = {each for each in await names(world) - before if each.startswith("mh-disk-")}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while new & await names(world):  # those of other tests' agents, which go soon  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def names(world: DockerWorld) -> set[str]:
    containers = await world.docker.containers.list(all=True)
    volumes = (await world.docker._query_json("volumes"))["Volumes"] or ()
    return {each["Names"][0].lstrip("/") for each in containers} | {each["Name"] for each in volumes}

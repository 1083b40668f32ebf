"""Bombs beside a neighbour: its median answer takes at most twice as long, and what was limited is seen to be."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provider_agent.core.containers import ContainerSpec, ContainerState, ObservedContainer
from provider_agent.shell.engine import EngineRefused
from tests.docker_world import REMOVAL_SECONDS, DockerWorld, docker_world, engine_url
from tests.engine_contract import container
from tests.probe_image import IMAGE, PYTHON, import_probe_image

URL = engine_url()
pytestmark = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
PROBES = Path(__file__).parent.parent / "probes"
KINDS = ("fork", "memory", "files", "processors", "disk", "log")
MEMORY = {"fork": 2**28}
"""Enough for all its processes."""
SHORT, LONG = 2, 10
ATTEMPTS = 8
"""Another program on this machine may take its processors meanwhile; a bomb that works does so each time."""


@pytest.fixture
async def world() -> AsyncIterator[DockerWorld]:
    assert URL is not None
    async with docker_world(URL) as opened:
        await import_probe_image(opened.docker)
        yield opened


def probe(world: DockerWorld, name: str) -> ContainerSpec:
    """Return the neighbour, or a bomb of a kind."""
    program = name if name == "neighbour" else "bombs"
    command = (str(PYTHON), "-c", (PROBES / f"{program}.py").read_text())
    plain = container(world, name=name, image=IMAGE, command=command, memory_bytes=MEMORY.get(name, 2**26), user="0:0")
    return replace(plain, args=(name,), layer_bytes=2**30, milli_cpu=500)


async def test_i04_i05_bombs__all_at_once_beside_a_neighbour__do_not_double_its_latency(world: DockerWorld) -> None:
    await expect_calm(world, [replace(probe(world, kind), milli_cpu=100) for kind in KINDS], SHORT)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
async def test_i04_i05_bomb__with_half_a_processor_for_long__does_not_double_a_neighbours_latency(
    world: DockerWorld, kind: str
) -> None:
    await expect_calm(world, [probe(world, kind)], LONG)


async def expect_calm(world: DockerWorld, bombs: list[ContainerSpec], seconds: int) -> None:
    await world.engine.ensure_container(probe(world, "neighbour"))
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS and (not ratios or ratios[-1] > 2):
        ratios.append(await slowdown(world, bombs, seconds))
    assert ratios[-1] <= 2, ratios


async def slowdown(world: DockerWorld, bombs: list[ContainerSpec], seconds: int) -> float:
    """Return how much longer the neighbour's median answer takes while bombs go on than around it."""
    begin = await seconds_passed(world, at_least=0, more=seconds)
    for bomb in bombs:
        await world.engine.ensure_container(bomb)
    started = await seconds_passed(world, at_least=begin)
    ended = await seconds_passed(world, at_least=started, more=seconds)
    await asyncio.gather(*(defuse(world, bomb) for bomb in bombs))
    last = await seconds_passed(world, at_least=ended, more=seconds)
    medians = await answers(world)
    around = [medians[each] for each in (*range(begin - seconds, begin), *range(last - seconds + 1, last))]
    return statistics.median(medians[started + 1 : ended]) / statistics.median(around)


async def defuse(world: DockerWorld, bomb: ContainerSpec) -> None:
    """Remove a bomb as an agent does, who tries again what the engine refuses while it still writes the bomb's log.

    To be killed 512 processes need more of a processor than they had.
    """
    path = f"containers/{bomb.name}/update"
    await world.docker._query_json(path, "POST", data={"NanoCpus": 2 * 10**9})
    async with asyncio.timeout(REMOVAL_SECONDS):
        while True:
            try:
                return await world.engine.remove_container(bomb.name, at_once=True)
            except EngineRefused:
                await asyncio.sleep(0.5)


async def answers(world: DockerWorld) -> list[int]:
    lines = await world.docker.containers.container(f"{world.prefix}-neighbour").log(stdout=True)
    return [int(line.split()[1]) for line in "".join(lines).splitlines()]


async def seconds_passed(world: DockerWorld, at_least: int, more: int = 1) -> int:
    """Wait for so many seconds of the neighbour after one of them, and return how many there were."""
    for _ in range(600):
        if (passed := len(await answers(world))) >= at_least + more:
            return passed
        await asyncio.sleep(0.2)
    raise AssertionError("the neighbour does not get on")


async def test_i04_fork_bomb__stays_within_the_limit_of_its_processes(world: DockerWorld) -> None:
    spec = probe(world, "fork")
    await world.engine.ensure_container(spec)

    counted = 0
    for _ in range(600):
        counted = max(counted, (await stats(world, spec))["pids_stats"].get("current", 0))
        if counted >= 512:
            break
        await asyncio.sleep(0.1)
    await defuse(world, spec)
    assert 500 <= counted <= 512


async def test_i04_memory_bomb__is_killed_alone_and_told(world: DockerWorld) -> None:
    await world.engine.ensure_container(probe(world, "neighbour"))
    await world.engine.ensure_container(probe(world, "memory"))
    await world.docker.containers.container(f"{world.prefix}-memory").wait()

    async with asyncio.timeout(30):  # the engine may hear of it a little later
        while not (seen := await by_name(world))["memory"].is_out_of_memory:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert seen["memory"].state is ContainerState.EXITED
    assert seen["neighbour"].state is ContainerState.RUNNING


async def by_name(world: DockerWorld) -> dict[str, ObservedContainer]:
    return {each.name.rpartition("-")[2]: each for each in (await world.engine.observe()).containers}


async def test_i04_file_bomb__is_refused_at_the_limit_of_a_process(world: DockerWorld) -> None:
    spec = probe(world, "files")
    await world.engine.ensure_container(spec)

    lines: list[str] = []
    for _ in range(600):
        lines = await world.docker.containers.container(spec.name).log(stdout=True)
        if lines:
            break
        await asyncio.sleep(0.1)
    assert 16_000 < int(lines[0].split()[-1]) < 16_384


async def test_i04_processor_bomb__gets_what_was_leased_and_no_more(world: DockerWorld) -> None:
    spec = replace(probe(world, "processors"), milli_cpu=250)
    await world.engine.ensure_container(spec)
    await asyncio.sleep(0.5)

    clock = asyncio.get_running_loop().time
    began = clock()
    before = await processor_seconds(world, spec)
    await asyncio.sleep(2)
    after = await processor_seconds(world, spec)

    assert (after - before) / (clock() - began) <= 0.30  # all that was used was used between these two moments


async def processor_seconds(world: DockerWorld, spec: ContainerSpec) -> float:
    """Return seconds of processors used."""
    used: int = (await stats(world, spec))["cpu_stats"]["cpu_usage"]["total_usage"]
    return used / 1e9


async def stats(world: DockerWorld, spec: ContainerSpec) -> dict[str, Any]:
    parameters = {"stream": "false", "one-shot": "true"}
    found: dict[str, Any] = await world.docker._query_json(f"containers/{spec.name}/stats", params=parameters)
    return found

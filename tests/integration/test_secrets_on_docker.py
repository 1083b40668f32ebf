"""Secrets in containers of a real engine: readable by whoever the workload runs as, in memory, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import secrets as randomness
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from provider_agent.core.containers import SecretFiles, VolumeMount
from provider_agent.shell.docker_engine import DockerEngine
from provider_agent.shell.engine import EngineRefused
from provider_agent.shell.secret_files import SecretDirectory, secrets_directory
from tests.docker_world import OPTIONS, DockerWorld, docker_world, engine_url
from tests.engine_contract import container

URL = engine_url()
pytestmark = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
CANARY = "canary-a81c"
SECRETS = SecretFiles((("key", CANARY),), "f1")
READ = ("/bin/sh", "-c", "/bin/cat /run/secrets/key; echo x > /run/secrets/key || echo kept")


@pytest.fixture
async def world() -> AsyncIterator[DockerWorld]:
    assert URL is not None
    async with docker_world(URL) as opened:
        path = secrets_directory(f"test-{randomness.token_hex(4)}")
        options = replace(OPTIONS, secrets=SecretDirectory(path))
        yield replace(opened, engine=DockerEngine(opened.docker, opened.owner, options))
        for each in path.iterdir() if path.exists() else ():
            SecretDirectory(path).remove(each.name)
        if path.exists():
            path.rmdir()


@pytest.mark.parametrize("user", ["0:0", "1234:1234"])
@pytest.mark.parametrize("is_read_only", [False, True])
async def test_h11_secrets__in_a_container__can_be_read_and_not_written(
    world: DockerWorld, user: str, is_read_only: bool
) -> None:
    spec = replace(container(world, command=READ, user=user, is_read_only=is_read_only), secrets=SECRETS)

    await world.engine.ensure_container(spec)

    output = await world.output(spec.name)
    assert CANARY in output
    assert "kept" in output


async def test_h11_secrets__of_a_container__are_in_memory_and_not_in_what_the_engine_tells(world: DockerWorld) -> None:
    spec = replace(container(world), secrets=SECRETS)
    await world.engine.ensure_container(spec)

    shown = await world.docker.containers.container(spec.name).show()

    assert CANARY not in json.dumps(shown)
    (mount,) = shown["Mounts"]
    assert (mount["Destination"], mount["RW"]) == ("/run/secrets", False)
    assert _kind_of_file_system(mount["Source"]) == "tmpfs"


async def test_h11_secrets__change_and_end__follow_the_container(world: DockerWorld) -> None:
    spec = replace(container(world), secrets=SECRETS)
    await world.engine.ensure_container(spec)
    changed = replace(spec, command=READ, secrets=SecretFiles((("key", "second"),), "f2"))
    await world.engine.ensure_container(changed)
    output = await world.output(spec.name)
    assert "second" in output and CANARY not in output
    source = (await world.docker.containers.container(spec.name).show())["Mounts"][0]["Source"]

    await world.engine.remove_container(spec.name)

    assert not await asyncio.to_thread(Path(source).exists)


async def test_h11_secrets__container_cannot_be_made__do_not_stay(world: DockerWorld, tmp_path: Path) -> None:
    mounts = (VolumeMount(f"{world.prefix}-v", "not/absolute"),)
    spec = replace(container(world), secrets=SECRETS, mounts=mounts)

    engine = DockerEngine(world.docker, world.owner, replace(OPTIONS, secrets=SecretDirectory(tmp_path / "secrets")))

    with pytest.raises(EngineRefused, match="mount"):
        await engine.ensure_container(spec)

    assert list((tmp_path / "secrets").iterdir()) == []


def _kind_of_file_system(path: str) -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return max((each for each in mounts if path.startswith(each[1])), key=lambda each: len(each[1]))[2]

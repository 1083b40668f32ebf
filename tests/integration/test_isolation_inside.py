"""What a program in a real container may do and sees: asked from inside."""

from __future__ import annotations

import json
import platform
import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provider_agent.core.containers import VolumeMount
from tests.docker_world import DockerWorld, docker_world, engine_url
from tests.engine_contract import container
from tests.probe_image import IMAGE, PYTHON, import_probe_image

URL = engine_url()
pytestmark = pytest.mark.skipif(URL is None, reason="no Docker engine at DOCKER_HOST or /var/run/docker.sock")
PROBES = Path(__file__).parent.parent / "probes"
NOT_PERMITTED = 1
UNKNOWN_CALL = 38
BAD_CALL = 31
"""SIGSYS."""
RINGS_SEGMENTS_AND_TRACING = {425, 426, 427, 154, 101}
SOCKETS = {41, 53}
"""Their nonsense is a family that is not allowed."""
SYMBOLS = ("$HOME", "`id`", "$(id)", "a;b", "a|b", "a&&b", "'", '"', "\\", "*", "a b", "\n", "é", "", "--", "%s", "{}")


@pytest.fixture
async def world() -> AsyncIterator[DockerWorld]:
    assert URL is not None
    async with docker_world(URL) as opened:
        await import_probe_image(opened.docker)
        yield opened


async def probe(world: DockerWorld, name: str, *args: str, **changes: Any) -> dict[str, Any]:
    """Run a probe in a container that the engine interface makes, and return what it found."""
    command = (str(PYTHON), "-c", (PROBES / name).read_text())
    plain = container(world, image=IMAGE, command=command, memory_bytes=2**27)
    spec = replace(plain, args=args, **changes)
    await world.engine.ensure_container(spec)
    found: dict[str, Any] = json.loads(await world.output(spec.name))
    await world.engine.remove_container(spec.name)
    return found


async def test_i03_container__seen_from_inside__has_no_capability_and_gains_no_privilege(world: DockerWorld) -> None:
    found = await probe(world, "surroundings.py", user="0:0")

    assert {key: int(value, 16) for key, value in found["status"].items()} == {
        **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0),
        "NoNewPrivs": 1,
        "Seccomp": 2,
    }
    refused = {key: error for key, error in found["attempts"].items() if key not in ("write root", "write tmp")}
    assert refused == {
        **dict.fromkeys(("become another", "give away", "device node", "raw socket", "renice"), "PermissionError"),
        **dict.fromkeys(("hostname", "chroot"), "PermissionError"),
        "write sysctl": "OSError",  # the file system is mounted read-only
        "engine socket": "FileNotFoundError",
    }
    assert not [path for path in found["mounts"] if path.endswith(".sock")]
    assert not [name for name in found["devices"] if name.startswith(("sd", "vd", "nvme", "loop", "kvm", "mem"))]


async def test_i03_container__root_read_only_or_not__is_as_the_file_says(world: DockerWorld) -> None:
    writable = await probe(world, "surroundings.py", user="0:0")
    read_only = await probe(world, "surroundings.py", user="0:0", is_read_only=True)

    assert (writable["attempts"]["write root"], writable["attempts"]["write tmp"]) == (None, None)
    assert (read_only["attempts"]["write root"], read_only["attempts"]["write tmp"]) == ("OSError", None)


async def test_i03_container__limits__are_not_above_the_hosts_own(world: DockerWorld) -> None:
    found = await probe(world, "surroundings.py")

    assert found["limits"] == {"NOFILE": [16_384, 16_384], "CORE": [0, 0]}
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 16_384


async def test_i12_container__user_is_given__is_that_one_outside_too(world: DockerWorld) -> None:
    spec = container(world, user="10001:10002")
    await world.engine.ensure_container(spec)
    inspected = await world.docker.containers.container(spec.name).show()

    outside = status_of(inspected["State"]["Pid"])
    assert (outside["Uid"].split()[0], outside["Gid"].split()[0]) == ("10001", "10002")
    await world.engine.remove_container(spec.name)
    assert (await probe(world, "surroundings.py", user="10001:10002"))["ids"] == [10_001, 10_002, [10_002]]


async def test_i14_container__metacharacters_in_args_and_variables__arrive_unchanged(world: DockerWorld) -> None:
    env = tuple((f"V{index}", text) for index, text in enumerate(SYMBOLS))

    found = await probe(world, "surroundings.py", *SYMBOLS, env=env)

    assert found["argv"] == list(SYMBOLS)
    assert {key: found["env"].get(key) for key, _ in env} == dict(env)


async def test_i25_container__seen_from_inside__shows_little_of_its_host_and_nothing_of_others(
    world: DockerWorld,
) -> None:
    found = await probe(world, "surroundings.py", user="0:0")

    assert set(found["hidden"].values()) <= {"", "FileNotFoundError"}
    assert found["hostname"] == "web-0"
    assert len(found["processes"]) <= 2  # the init process and the probe
    assert {line.rsplit(":", 1)[1] for line in found["cgroup"].splitlines()} == {"/"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are those of x86-64")
async def test_i03_profile__every_system_call__is_narrower_than_the_engines_own_and_nowhere_wider(
    world: DockerWorld,
) -> None:
    ours = await probe(world, "system_calls.py")
    default = await under_the_engines_profile(world)

    denied, denied_by_default = (
        {int(number) for number, error in found["calls"].items() if error == NOT_PERMITTED} for found in (ours, default)
    )
    assert denied_by_default <= denied
    assert denied - denied_by_default <= RINGS_SEGMENTS_AND_TRACING | SOCKETS
    assert denied >= RINGS_SEGMENTS_AND_TRACING
    assert ours["sockets"] == [True] * 5 + [False] * 7
    assert (ours["new user namespace"], ours["clone3"], ours["32 bits"]) == (NOT_PERMITTED, UNKNOWN_CALL, BAD_CALL)


def status_of(process: int) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())


def files_in(folder: str) -> list[Path]:
    return list(Path(folder).glob("*"))


async def under_the_engines_profile(world: DockerWorld) -> dict[str, Any]:
    """Run the same in a container without capabilities that the engine's own profile confines."""
    config = {
        "Image": IMAGE,
        "Cmd": [str(PYTHON), "-c", (PROBES / "system_calls.py").read_text()],
        "Labels": dict(world.owner),
        "HostConfig": {"CapDrop": ["ALL"], "NetworkMode": "none", "Init": True},
    }
    other = await world.docker.containers.create(config, name=f"{world.prefix}-default")
    await other.start()
    found: dict[str, Any] = json.loads(await world.output(f"{world.prefix}-default"))
    return found


async def test_i21_volume__of_an_ended_lease__leaves_nothing_for_the_next(world: DockerWorld) -> None:
    mounts = (VolumeMount(f"{world.prefix}-data", "/data"),)
    writes = container(world, command=("/bin/sh", "-c", "echo canary > /data/a"), user="0:0", mounts=mounts)
    await world.engine.ensure_container(writes)
    await world.output(writes.name)
    source = (await world.docker._query_json(f"volumes/{world.prefix}-data"))["Mountpoint"]
    await world.engine.remove_container(writes.name)
    await world.engine.remove_volume(f"{world.prefix}-data")

    reads = container(world, command=("/bin/sh", "-c", "cat /data/* ; echo end"), user="0:0", mounts=mounts)
    await world.engine.ensure_container(reads)

    assert "canary" not in await world.output(reads.name)
    assert files_in(source) == []

"""Measures what containers and volumes take on an engine's disk, and finds out by trying what its storage can limit."""

from __future__ import annotations

import asyncio
import io
import os
import secrets
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiodocker

from provider_agent.core.containers import ROLE_LABEL
from provider_agent.core.disk import DiskUsage
from provider_agent.shell.docker_calls import NO_CONNECTION, answering, docker_at, reason, refusing
from provider_agent.shell.docker_config import Json

MEASURE_SECONDS = 120
SAYS_MEASURING = "a disk usage operation is already running"
"""Words of an engine that measures for somebody else: it does one at a time."""
SECONDS_UNTIL_ASKED_AGAIN = 0.2
TRIAL_BYTES = 8 * 1024 * 1024
"""A limit that is tried; three times as much is written."""


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """What an engine's storage keeps a container from."""

    of_layers: bool
    of_volumes: bool
    why_not: str = ""
    """In the engine's words."""


async def measure(url: str) -> DiskUsage:
    """Return what everything on an engine takes (`/system/df`), when it has measured for others who asked before.

    Raises:
        EngineUnavailable: no answer.
        EngineRefused: it does not measure.
    """
    async with _engine(url, MEASURE_SECONDS) as docker:
        while True:
            try:
                return usage_of(await docker._query_json("system/df"))
            except aiodocker.DockerError as error:
                if SAYS_MEASURING not in error.message:
                    raise
            await asyncio.sleep(SECONDS_UNTIL_ASKED_AGAIN)


def usage_of(found: Json) -> DiskUsage:
    """Read the engine's answer. Volumes that images ask for have no labels, and no limit where storage has them."""
    volumes = {each["Name"]: (each.get("UsageData") or {}).get("Size", 0) for each in found["Volumes"] or ()}
    nameless = {each["Name"] for each in found["Volumes"] or () if not each.get("Labels")}
    layers: dict[str, int] = {}
    for each in found["Containers"] or ():
        mounted = {mount.get("Name") for mount in each.get("Mounts") or () if mount.get("Type") == "volume"}
        size = (each.get("SizeRw") or 0) + sum(max(volumes[name], 0) for name in mounted & nameless)
        layers.update({name.removeprefix("/"): size for name in each["Names"] or ()})
    return DiskUsage(layers, volumes)


async def try_limits(url: str, image: str) -> DiskLimits:
    """Return what an engine limits, seen by writing more than was allowed.

    Args:
        image: any that is there; nothing of it is run.

    Raises:
        EngineUnavailable: no answer.
    """
    name = f"mh-disk-{secrets.token_hex(4)}"
    size = str(TRIAL_BYTES)
    layer: Json = {"StorageOpt": {"size": size}}
    driver = {"Name": "local", "Options": {"size": size}}
    volume: Json = {
        "Mounts": [{"Type": "volume", "Source": name, "Target": "/v", "VolumeOptions": {"DriverConfig": driver}}]
    }
    of_layers, why_layers = await _is_limited(url, image, name, layer, "/")
    of_volumes, why_volumes = await _is_limited(url, image, name, volume, "/v")
    return DiskLimits(of_layers, of_volumes, why_layers or why_volumes)


async def _is_limited(url: str, image: str, name: str, host_config: Json, path: str) -> tuple[bool, str]:
    """Return whether a container of this kind takes no more than the limit, and if not why not."""
    config: Json = {"Image": image, "Cmd": ["-"], "Labels": {ROLE_LABEL: "trial"}, "HostConfig": host_config}
    async with _engine(url, MEASURE_SECONDS) as docker:
        try:
            container = await docker.containers.create(config, name=name)
        except aiodocker.DockerError as error:
            if error.status == NO_CONNECTION:
                raise
            return False, reason(error)
        try:
            await docker._query_json(f"containers/{name}/archive", "PUT", params={"path": path}, data=_too_much())
        except aiodocker.DockerError as error:
            if error.status == NO_CONNECTION:
                raise
            return True, ""
        finally:
            await container.delete(force=True, v=True)
            with suppress(aiodocker.DockerError):
                await docker._query_json(f"volumes/{name}", "DELETE")
    return False, "the engine takes a limit and does not keep to it"


def _too_much() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("moorage-trial")
        entry.size = 3 * TRIAL_BYTES
        archive.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return buffer.getvalue()


@asynccontextmanager
async def _engine(url: str, seconds: int) -> AsyncIterator[aiodocker.Docker]:
    with refusing():
        async with docker_at(url) as docker, answering(seconds):
            yield docker

"""Asks a Docker engine what it is, once: versions, storage, limits (`/version` and `/info` of the Engine API)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiodocker
import aiohttp

from provider_agent.core.engine_versions import describe, known_holes
from provider_agent.shell.docker_calls import docker_at, why_no_engine
from provider_agent.shell.engine import EngineError, EngineUnavailable

PROBE_SECONDS = 20
_NUMBER = re.compile(r"\d+\.\d+\.\d+\S*", re.ASCII)


class UnsafeEngine(EngineError):
    """The engine has known holes, and nobody has said that this is accepted."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself."""

    version: str
    runc: str | None
    """None: it does not say."""
    storage_driver: str
    backing_filesystem: str
    root: str
    """Where it keeps everything, on its host."""
    cpus: int
    memory_bytes: int
    has_seccomp: bool
    survives_restart: bool
    """Whether containers go on while the engine is restarted (live restore)."""
    has_swap_limit: bool
    runtimes: tuple[str, ...] = ()
    """By name; the engine's own is among them."""
    maps_users: bool = False
    """Whether root in a container is somebody else outside (userns-remap)."""


async def probe(url: str) -> EngineFacts:
    """Return what the engine at an address says of itself.

    Raises:
        EngineUnavailable: it does not answer.
    """
    async with _asking(url) as docker:
        return facts_of(await docker.version(), await docker.system.info())


async def has_image(url: str, image: str) -> bool:
    """Return whether the engine at an address has an image.

    Raises:
        EngineUnavailable: it does not answer.
    """
    async with _asking(url) as docker:
        try:
            await docker.images.inspect(image)
        except aiodocker.DockerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True


@asynccontextmanager
async def _asking(url: str) -> AsyncIterator[aiodocker.Docker]:
    try:
        async with docker_at(url) as docker, asyncio.timeout(PROBE_SECONDS):
            yield docker
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer from the engine in {PROBE_SECONDS} s") from error
    except aiodocker.DockerError as error:
        raise EngineUnavailable(f"no answer from the engine at {url}: {why_no_engine(error)}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnavailable(f"no answer from the engine at {url}: {why_no_engine(error)}") from error


def facts_of(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """Read both answers; what is missing in one counts as not there."""
    components = {str(each.get("Name")): str(each.get("Version")) for each in version.get("Components") or ()}
    runc = _NUMBER.search(components.get("runc", ""))
    status = {str(pair[0]): str(pair[1]) for pair in info.get("DriverStatus") or () if len(pair) == 2}
    return EngineFacts(
        version=str(version.get("Version", "")),
        runc=runc[0] if runc else None,
        storage_driver=str(info.get("Driver", "")),
        backing_filesystem=status.get("Backing Filesystem", ""),
        root=str(info.get("DockerRootDir", "")),
        cpus=int(info.get("NCPU") or 0),
        memory_bytes=int(info.get("MemTotal") or 0),
        has_seccomp=any("seccomp" in str(option) for option in info.get("SecurityOptions") or ()),
        survives_restart=bool(info.get("LiveRestoreEnabled")),
        has_swap_limit=bool(info.get("SwapLimit")),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        maps_users=any("userns" in str(option) for option in info.get("SecurityOptions") or ()),
    )


def check_holes(facts: EngineFacts, accepts_holes: bool) -> str | None:
    """Return what is known against the engine, None if nothing is.

    Raises:
        UnsafeEngine: something is, and it was not accepted.
    """
    holes = known_holes(facts.version, facts.runc)
    if not holes:
        return None
    what = f"Docker {facts.version} with runc {facts.runc or '(version not told)'} has known holes: {describe(holes)}"
    if not accepts_holes:
        raise UnsafeEngine(
            f"{what}: install newer ones; if your distribution has mended these, or you trust all tenants, run with "
            "--accept-known-holes"
        )
    return what

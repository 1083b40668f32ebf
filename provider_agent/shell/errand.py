"""Runs short-lived containers of the agent's own for what needs privileges on the host that the agent has not."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus

import aiodocker

from provider_agent.core.containers import ROLE_LABEL
from provider_agent.shell.docker_calls import MAX_REASON_LENGTH, answering, docker_at, ignoring, reason
from provider_agent.shell.docker_config import Json
from provider_agent.shell.engine import EngineError, EngineRefused, ImageNotFound

ERRAND_LABEL = "moorage.errand"
PATIENCE_SECONDS = 30
MEMORY_BYTES = 64 * 1024 * 1024
PIDS_LIMIT = 16


@dataclass(frozen=True, slots=True)
class Errand:
    """A container that does one thing as root in the host's network and ends."""

    name: str
    """Containers with this name and a number: some may run at once, and those that were left over are removed."""
    role: str
    image: str
    command: tuple[str, ...]
    capabilities: tuple[str, ...]
    """All that it has of root's."""


async def run_errand(url: str, errand: Errand) -> str:
    """Return what an errand has written.

    Raises:
        EngineUnavailable: the engine does not answer.
        ImageNotFound: the engine does not have the image.
        EngineRefused: it could not be run, or said that it has failed.
    """
    try:
        async with docker_at(url) as docker, answering(PATIENCE_SECONDS):
            await _remove_leftovers(docker, errand)
            name = f"{errand.name}-{secrets.token_hex(4)}"
            try:
                code, written = await _run(docker, errand, name)
            finally:
                await _remove(docker, name)
    except aiodocker.DockerError as error:
        raise _translated(error, errand) from error
    if code != 0:
        raise EngineRefused(f"{errand.command[0]} in {errand.image}: {written.strip()[:MAX_REASON_LENGTH]}")
    return written


async def _remove_leftovers(docker: aiodocker.Docker, errand: Errand) -> None:
    """Remove what a program has left that was killed meanwhile."""
    filters = json.dumps({"label": [f"{ERRAND_LABEL}={errand.name}"]})
    for each in await docker._query_json("containers/json", params={"all": "true", "filters": filters}):
        if each["Created"] < time.time() - 2 * PATIENCE_SECONDS:
            await _remove(docker, each["Id"])


async def _run(docker: aiodocker.Docker, errand: Errand, name: str) -> tuple[int, str]:
    container = await docker.containers.create(_config(errand), name=name)
    await container.start()
    ended = await container.wait()
    return ended["StatusCode"], "".join(await container.log(stdout=True, stderr=True))


async def _remove(docker: aiodocker.Docker, name: str) -> None:
    with ignoring(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
        await docker.containers.container(name).delete(force=True)


def _config(errand: Errand) -> Json:
    return {
        "Image": errand.image,
        "Entrypoint": list(errand.command),
        "User": "0:0",
        "Labels": {ROLE_LABEL: errand.role, ERRAND_LABEL: errand.name},
        "HostConfig": {
            "NetworkMode": "host",
            "UsernsMode": "host",  # an engine that maps users would refuse the host's network
            "CapDrop": ["ALL"],
            "CapAdd": list(errand.capabilities),
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "PidsLimit": PIDS_LIMIT,
            "Memory": MEMORY_BYTES,
            "MemorySwap": MEMORY_BYTES,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            "RestartPolicy": {"Name": "no"},
        },
    }


def _translated(error: aiodocker.DockerError, errand: Errand) -> EngineError:
    if error.status == HTTPStatus.NOT_FOUND and "image" in error.message.lower():
        return ImageNotFound(f"the engine does not have the image {errand.image}")
    return EngineRefused(reason(error))

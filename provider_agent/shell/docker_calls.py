"""Requests to a Docker engine (Docker Engine API 1.41): to which address, how long, and what their failures mean."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import aiodocker
import aiohttp

from moorage.connecting import why_unreachable
from provider_agent.shell.engine import EngineError, EngineRefused, EngineUnavailable, PortTaken

API_VERSION = "v1.41"
NO_CONNECTION = 900  # aiodocker's status when there is no answer
MAX_REASON_LENGTH = 300
SAYS_PORT_TAKEN = ("port is already allocated", "address already in use", "ports are not available")


def docker_at(url: str) -> aiodocker.Docker:
    """Return what speaks to the engine at an address, for instance `unix:///var/run/docker.sock`; it is to be closed.

    The address has to be given: without one aiodocker would follow the user's Docker context.
    """
    return aiodocker.Docker(url=url, api_version=API_VERSION)


@asynccontextmanager
async def answering(seconds: int) -> AsyncIterator[None]:
    """Give the engine so much time to answer; what it refuses passes through as aiodocker.DockerError.

    Raises:
        EngineUnavailable: no answer, or none in time.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer from the engine in {seconds} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnavailable(f"the engine went away: {why_no_engine(error)}") from error
    except aiodocker.DockerError as error:
        if error.status == NO_CONNECTION:
            raise EngineUnavailable(f"no connection to the engine: {why_no_engine(error)}") from error
        raise


def why_no_engine(error: Exception) -> str:
    """Return why the engine did not answer, in words: aiodocker puts its own, with the address, around others."""
    if not isinstance(error, aiodocker.DockerError):
        return why_unreachable(error)
    cause = error.__context__
    return why_unreachable(cause) if isinstance(cause, aiohttp.ClientError) else error.message


@contextmanager
def refusing(kind: type[EngineError] = EngineRefused) -> Iterator[None]:
    """Turn what the engine says no to into our error."""
    try:
        yield
    except aiodocker.DockerError as error:
        raise kind(reason(error)) from error


@contextmanager
def ignoring(*statuses: int) -> Iterator[None]:
    """End the block where the engine answers with one of these."""
    try:
        yield
    except aiodocker.DockerError as error:
        if error.status not in statuses:
            raise


def reason(error: aiodocker.DockerError) -> str:
    """Return the engine's words without the layers of the runtime that they came through."""
    return error.message.rsplit("unable to start container process: ", 1)[-1].strip()[:MAX_REASON_LENGTH]


def port_taken(error: aiodocker.DockerError) -> PortTaken | None:
    """Return our error for a port of the host that is somebody else's, None if the engine says something else."""
    if not any(words in error.message for words in SAYS_PORT_TAKEN):
        return None
    port = re.search(r":(\d{1,5})(?: failed)?: ", error.message)
    return PortTaken(reason(error), int(port[1]) if port is not None else None)

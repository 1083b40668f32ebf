"""The stream of events of a Docker engine (Docker Engine API 1.41): hints of what has changed, until it breaks off."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager

import aiodocker
import aiohttp

from provider_agent.shell.docker_calls import why_no_engine
from provider_agent.shell.engine import EngineUnavailable

CHANGES = ["start", "die", "destroy", "pause", "unpause", "rename", "health_status"]
"""The events after which a container is not what it was."""
OVERLAP_SECONDS = 5
"""The engine answers before it begins to listen to itself: what happens between the two is told from its memory."""


@asynccontextmanager
async def listening(
    docker: aiodocker.Docker, filters: dict[str, list[str]], seconds: int
) -> AsyncIterator[AsyncIterable[bytes]]:
    """Open the engine's stream of events, one JSON object in a line; its end is a failure too.

    The library's own stream is not used: after a break it says nothing any more, and does not tell.

    Raises:
        EngineUnavailable: it could not be opened, broke off or ended.
    """
    response = None
    try:
        async with asyncio.timeout(seconds):
            timeout = aiohttp.ClientTimeout(total=None)
            since = str(int(time.time()) - OVERLAP_SECONDS)
            params = {"filters": json.dumps(filters), "since": since}
            response = await docker._do_query("events", "GET", params=params, timeout=timeout)
        yield response.content
    except TimeoutError as error:
        raise EngineUnavailable(f"no answer from the engine in {seconds} s") from error
    except (aiohttp.ClientError, OSError, ValueError, aiodocker.DockerError) as error:
        raise EngineUnavailable(f"the engine's events broke off: {why_no_engine(error)}") from error
    finally:
        if response is not None:
            response.close()
    raise EngineUnavailable("the engine's events have ended")

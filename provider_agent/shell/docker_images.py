"""The images of a Docker engine (Docker Engine API 1.41): which are there, loading and removing those of the agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiodocker
import aiohttp

from provider_agent.core.image_names import ImageName, image_name
from provider_agent.shell.docker_calls import NO_CONNECTION, answering, ignoring, refusing, why_no_engine
from provider_agent.shell.docker_config import Json
from provider_agent.shell.engine import EngineUnavailable, ImagePullFailed

CALL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class EngineImage:
    id: str
    """`sha256:` and 64 hex digits, of its configuration: it stands for the whole content."""
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """`repository@digest` as registries know it; none if no registry has been asked."""
    size_bytes: int


class DockerImages:
    """Images on one engine."""

    def __init__(self, docker: aiodocker.Docker) -> None:
        self._docker = docker
        self._architecture: str | None = None

    async def architecture(self) -> str:
        """Return the engine's architecture as Go names it."""
        if self._architecture is None:
            with refusing(EngineUnavailable):
                found = await self._call("GET", "version")
            self._architecture = str(found["Arch"])
        return self._architecture

    async def by_id(self, image: str) -> EngineImage | None:
        """Return the image with an id, None if it is not there."""
        with refusing(EngineUnavailable), ignoring(HTTPStatus.NOT_FOUND):
            return _image(await self._call("GET", f"images/{image}/json"))
        return None

    async def by_name(self, name: ImageName) -> EngineImage | None:
        """Return the image that has a name here, None if none has.

        An engine would also take a name for the beginning of an id: then it is somebody else's image.
        """
        if name.digest is not None:
            found = await self.by_id(f"{name.full}@{name.digest}")
            return found if found is not None and any(name.digest in each for each in found.digests) else None
        found = await self.by_id(f"{name.full}:{name.tag}")
        names = [image_name(tag) for tag in found.tags] if found is not None else []
        return found if any((each.full, each.tag) == (name.full, name.tag) for each in names) else None

    async def tagged(self, repository: str) -> dict[str, EngineImage]:
        """Return the images that have a tag in a repository, by that tag."""
        filters = json.dumps({"reference": [f"{repository}:*"]})
        with refusing(EngineUnavailable):
            found = await self._call("GET", "images/json", {"filters": filters})
        images = map(_image, found)
        return {tag: image for image in images for tag in image.tags if tag.startswith(f"{repository}:")}

    async def load(self, archive: AsyncIterator[bytes], seconds: int) -> None:
        """Load an archive; an error of the archive itself passes through.

        Raises:
            EngineUnavailable, ImagePullFailed: it took too long, or the engine does not take it.
        """
        source = _Source(archive)
        try:
            async with asyncio.timeout(seconds):
                told = await self._docker.images.import_image(source.pieces())
        except TimeoutError as error:
            raise ImagePullFailed(f"the image took longer than {seconds} s") from error
        except (aiohttp.ClientError, OSError, aiodocker.DockerError) as error:
            if source.error is not None:
                raise source.error from None
            if isinstance(error, aiodocker.DockerError) and error.status != NO_CONNECTION:
                raise ImagePullFailed(f"the engine does not take the image: {error.message[:200]}") from error
            raise EngineUnavailable(f"the engine went away: {why_no_engine(error)}") from error
        errors = [each["error"] for each in told if "error" in each]
        if errors:
            raise ImagePullFailed(f"the engine does not take the image: {errors[0][:200]}")

    async def untag(self, tag: str) -> None:
        """Take a tag from an image, which goes with its last one unless a container is made of it."""
        with refusing(EngineUnavailable), ignoring(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            await self._call("DELETE", f"images/{tag}")

    async def _call(self, method: str, path: str, params: dict[str, str] | None = None) -> Any:
        async with answering(CALL_SECONDS):
            return await self._docker._query_json(path, method, params=params)


def _image(found: Json) -> EngineImage:
    """Return an image from its entry in the list, or from inspecting it."""
    return EngineImage(found["Id"], tuple(found["RepoTags"] or ()), tuple(found["RepoDigests"] or ()), found["Size"])


class _Source:
    """Keeps the error that an archive ended with: the client only says that it could not send it."""

    def __init__(self, archive: AsyncIterator[bytes]) -> None:
        self._archive = archive
        self.error: Exception | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._archive:
                yield piece
        except Exception as error:
            self.error = error
            raise

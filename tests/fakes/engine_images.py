"""The images of an engine that only pretends: an archive becomes an image if it is whole."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from provider_agent.core.image_names import ImageName
from provider_agent.shell.docker_images import EngineImage


@dataclass
class FakeEngineImages:
    images: dict[str, EngineImage] = field(default_factory=dict)
    """By id."""
    names: dict[str, str] = field(default_factory=dict)
    """`registry/repository:tag` -> id, of what the provider has put there."""
    loads: int = 0
    largest: int = 0
    """How many archives were loading at the same time."""
    _loading: int = 0

    async def architecture(self) -> str:
        return "amd64"

    async def by_id(self, image: str) -> EngineImage | None:
        return self.images.get(image)

    async def by_name(self, name: ImageName) -> EngineImage | None:
        return self.images.get(self.names.get(f"{name.full}:{name.tag}", "")) if name.digest is None else None

    async def tagged(self, repository: str) -> dict[str, EngineImage]:
        tags = ((tag, image) for image in self.images.values() for tag in image.tags)
        return {tag: image for tag, image in tags if tag.startswith(f"{repository}:")}

    async def load(self, archive: AsyncIterator[bytes], seconds: int) -> None:
        self.loads += 1
        self._loading += 1
        self.largest = max(self.largest, self._loading)
        try:
            async with asyncio.timeout(seconds):
                content = b"".join([piece async for piece in archive])
        finally:
            self._loading -= 1
        with tarfile.open(fileobj=io.BytesIO(content)) as opened:
            files = {member.name: opened.extractfile(member) for member in opened}
            (entry,) = json.loads(files["manifest.json"].read())  # type: ignore[union-attr]
        assert set(files) == {"manifest.json", entry["Config"], *entry["Layers"]}
        image = "sha256:" + entry["Config"].removesuffix(".json")
        self.images[image] = EngineImage(image, tuple(entry["RepoTags"]), (), len(content))

    async def untag(self, tag: str) -> None:
        for image in list(self.images.values()):
            left = tuple(each for each in image.tags if each != tag)
            self.images[image.id] = replace(image, tags=left)
            if not left:
                del self.images[image.id]

    def provide(self, name: str, image: str, digests: tuple[str, ...] = ()) -> None:
        """Put an image there as the provider itself would."""
        self.images[image] = EngineImage(image, (name,), digests, 1)
        self.names[name] = image

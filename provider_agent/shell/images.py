"""Gets images for leases: those that the provider has put on the engine, else from their registries, within limits.

The engine never talks to a registry. What it gets is complete, of the size that it may have, and what its digest says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from moorage.guarded_http import GuardedHttp
from moorage.reachable import PUBLIC, Reachable
from moorage.types import OrderId
from provider_agent.core.image_names import DEFAULT_REGISTRY, ImageName, ImageRequest, image_name
from provider_agent.core.images import Pin, PulledImage, garbage, pinned
from provider_agent.core.lease_names import Identity
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.docker_calls import docker_at
from provider_agent.shell.docker_images import DockerImages, EngineImage
from provider_agent.shell.engine import EngineError, ImageNotFound, ImagePullFailed, RegistryUnreachable
from provider_agent.shell.image_archive import SizeLimits, archive
from provider_agent.shell.image_ledger import ImageLedger
from provider_agent.shell.registry import Registry

TAG = "moorage-pulled"
"""Begins the name of every image that an agent has pulled; no manifest may name one."""
TIDY_SECONDS = 3_600

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """What a provider takes on for the images of strangers."""

    reachable: Reachable = PUBLIC
    insecure: tuple[str, ...] = ()
    """`host:port` of registries that are spoken to without TLS."""
    compressed_bytes: int = 4 * 10**9
    unpacked_bytes: int = 10 * 10**9
    pull_seconds: int = 900
    pulls: int = 4
    """At a time."""
    keep_seconds: int = 7 * 86_400
    keep_bytes: int = 20 * 10**9
    """For how long, and how much of, what no lease needs any more is kept."""


class EngineImages(Protocol):
    """What images need of an engine, see DockerImages."""

    async def architecture(self) -> str: ...

    async def by_id(self, image: str) -> EngineImage | None: ...

    async def by_name(self, name: ImageName) -> EngineImage | None: ...

    async def tagged(self, repository: str) -> dict[str, EngineImage]: ...

    async def load(self, archive: AsyncIterator[bytes], seconds: int) -> None: ...

    async def untag(self, tag: str) -> None: ...


class Images:
    """The images of one provider's leases."""

    def __init__(
        self,
        engine: EngineImages,
        http: GuardedHttp,
        ledger: ImageLedger,
        repository: str,
        options: ImageOptions,
        clock: Callable[[], float],
    ) -> None:
        """
        Args:
            repository: in which the agent tags what it has pulled; no other agent's.
        """
        self._engine = engine
        self._http = http
        self._ledger = ledger
        self._repository = repository
        self._options = options
        self._clock = clock
        self._gate = asyncio.Semaphore(options.pulls)
        self._lost: set[str] = set()

    def pinned(self, wanted: DesiredLease) -> DesiredLease:
        """Return a lease with the contents that were pulled for it in place of names."""
        return pinned(wanted, self._ledger.pins(wanted.lease))

    def missing(self, wanted: DesiredLease) -> Mapping[str, ImageRequest]:
        """Return what has to be pulled before containers can be made, by the image in their specifications."""
        pins = self._ledger.pins(wanted.lease)
        found = {each.reference: each for each in wanted.images if each.reference not in pins}
        lost = {pins[each.reference].image: each for each in wanted.images if each.reference in pins}
        return {**found, **{image: each for image, each in lost.items() if image in self._lost}}

    async def pull(self, lease: OrderId, request: ImageRequest) -> str:
        """Return the id of the image that a lease is to run, after putting it on the engine if it is not there.

        Raises:
            EngineUnavailable, ImageNotFound, ImagePullFailed
        """
        known = self._ledger.pins(lease).get(request.reference)
        if known is not None and await self._engine.by_id(known.image) is not None:
            self._lost.discard(known.image)
            return known.image
        try:
            async with self._gate, asyncio.timeout(self._options.pull_seconds):
                pin = await self._resolved(request, known)
        except TimeoutError as error:
            reason = f"image {request.reference} took longer than {self._options.pull_seconds} s"
            raise ImagePullFailed(reason) from error
        self._lost.discard(pin.image)
        if pin != known:
            try:
                await self._ledger.put(lease, request.reference, pin)
            except OSError as error:
                raise ImagePullFailed("the provider's disk does not take a record of the image") from error
            log.info("image resolved", lease=lease.hex(), image=request.reference, id=pin.image, digest=pin.digest)
        return pin.image

    def lose(self, image: str) -> None:
        """Note that an image is not on the engine any more."""
        if image.startswith("sha256:"):
            self._lost.add(image)

    async def keep(self, lease: OrderId, references: Collection[str]) -> None:
        """Forget which images a lease had but these. Disk errors are OSError."""
        await self._ledger.keep(lease, references, int(self._clock()))

    async def tidy(self) -> None:
        """Remove what no lease has needed for long, of what the agent has pulled itself. Disk errors are OSError.

        Raises:
            EngineUnavailable
        """
        tagged = await self._engine.tagged(self._repository)
        present = [PulledImage(tag, each.id, each.size_bytes) for tag, each in tagged.items()]
        options, now_seconds = self._options, int(self._clock())
        used_seconds = self._ledger.used_seconds
        needed = self._ledger.needed()
        for each in garbage(present, needed, used_seconds, now_seconds, options.keep_seconds, options.keep_bytes):
            log.info("image removed", id=each.image)
            await self._engine.untag(each.tag)
        await self._ledger.drop(used_seconds.keys() - {each.image for each in present})

    async def _resolved(self, request: ImageRequest, known: Pin | None) -> Pin:
        name = image_name(request.reference)
        if name.registry == DEFAULT_REGISTRY and name.repository.partition("/")[2].startswith(TAG):
            raise ImageNotFound(f"image {request.reference} was not found")  # another tenant's, on this engine
        if known is not None and known.digest is not None:
            name = replace(name, digest=known.digest)
        local = await self._engine.by_name(name)
        if local is not None and not local.digests:
            return Pin(local.id, None)
        registry = Registry(self._http, name, request.credentials, self._options.insecure)
        try:
            digest, content = await registry.content(await self._engine.architecture())
        except RegistryUnreachable:
            if local is None:
                raise
            return Pin(local.id, None)  # its provider has pulled it, and its registry does not answer
        self._limits.check(content)
        image = content.config.digest
        if await self._engine.by_id(image) is not None:
            async for _ in registry.blob(content.config):
                pass  # who does not have the image could name another tenant's
        else:
            tag = f"{self._repository}:{image.removeprefix('sha256:')}"
            await self._engine.load(archive(registry, content, tag, self._limits), self._options.pull_seconds)
            if await self._engine.by_id(image) is None:
                raise ImagePullFailed(f"image {request.reference} is something else than its registry says")
        return Pin(image, digest)

    @property
    def _limits(self) -> SizeLimits:
        return SizeLimits(self._options.compressed_bytes, self._options.unpacked_bytes)


@asynccontextmanager
async def docker_images(
    docker_url: str, identity: Identity, ledger: ImageLedger, options: ImageOptions, clock: Callable[[], float]
) -> AsyncIterator[Images]:
    """Open what gets images for an engine, while the block runs."""
    http = GuardedHttp(options.reachable)
    try:
        async with docker_at(docker_url) as docker:
            yield Images(DockerImages(docker), http, ledger, f"{TAG}-{identity.tag}", options, clock)
    finally:
        await http.close()


async def keep_tidy(images: Images, stop: asyncio.Event) -> None:
    """Look for images that can go, now and again, until `stop` is set; a failure is made good for the next time."""
    while not stop.is_set():
        try:
            await images.tidy()
        except (EngineError, OSError) as error:
            log.warning("images not tidied", reason=str(error))
        except Exception:  # a fault here must not end the agent
            log.exception("images not tidied")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TIDY_SECONDS)

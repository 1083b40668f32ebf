"""What carrying out a plan needs of images: contents in place of names, and those there before a container is made."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from moorage.types import OrderId
from provider_agent.core.containers import ContainerSpec
from provider_agent.core.image_names import ImageRequest
from provider_agent.core.workload_plan import Missing
from provider_agent.core.workloads import DesiredLease
from provider_agent.shell.engine import EngineError
from provider_agent.shell.images import Images


class ImageCare:
    """The images of the leases that one runner brings up; without a source of images, what is not there stays away."""

    def __init__(self, images: Images | None) -> None:
        self._images = images
        self._failed: dict[tuple[OrderId, ImageRequest], EngineError] = {}

    def pinned(self, wanted: DesiredLease) -> DesiredLease:
        """Return a lease with the contents that were pulled for it in place of names."""
        return self._images.pinned(wanted) if self._images is not None else wanted

    def missing(self, leases: Iterable[DesiredLease]) -> Missing:
        """Return what has to be pulled."""
        return {each.lease: self._images.missing(each) for each in leases} if self._images is not None else {}

    async def keep(self, lease: OrderId, references: Collection[str]) -> None:
        """Forget what the names of a lease's images meant, but for these. Disk errors are OSError."""
        if self._images is not None:
            await self._images.keep(lease, references)

    def begin(self, lease: OrderId) -> None:
        """Note that what could not be pulled for a lease may be tried again: once for all that is made of it."""
        self._failed = {key: error for key, error in self._failed.items() if key[0] != lease}

    async def made_of(self, lease: OrderId, container: ContainerSpec, image: ImageRequest | None) -> ContainerSpec:
        """Return a container with the content of its image, after pulling it.

        Raises:
            EngineUnavailable, ImageNotFound, ImagePullFailed
        """
        if image is None or self._images is None:
            return container
        if (lease, image) in self._failed:
            raise self._failed[lease, image]
        try:
            return replace(container, image=await self._images.pull(lease, image))
        except EngineError as error:
            self._failed[lease, image] = error
            raise

    def lose(self, image: str) -> None:
        """Note that an image is not on the engine any more."""
        if self._images is not None:
            self._images.lose(image)

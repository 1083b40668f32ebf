"""What an image's name says: which registry has it, under which name, and which of its contents is meant."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.manifest import ManifestGroup
from moorage.workload_secrets import Credentials

DEFAULT_REGISTRY = "docker.io"
ALIASES = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
"""Other names of the default registry: what is refused there must not get in by one of them."""
DEFAULT_HOST = "registry-1.docker.io"
DEFAULT_TAG = "latest"


@dataclass(frozen=True, slots=True)
class ImageName:
    """`[registry[:port]/]repository[:tag][@digest]`, as an engine would understand it."""

    registry: str
    repository: str
    tag: str
    digest: str | None
    """`sha256:` and 64 hex digits; it counts, and the tag does not."""

    @property
    def full(self) -> str:
        """`registry/repository`."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """The registry's host, with its port if it is not HTTP's own."""
        return DEFAULT_HOST if self.registry == DEFAULT_REGISTRY else self.registry

    @property
    def reference(self) -> str:
        """What a registry is asked for: the digest, or else the tag."""
        return self.digest or self.tag


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """An image as a manifest names it."""

    reference: str
    credentials: Credentials | None


def image_requests(group: ManifestGroup) -> tuple[ImageRequest, ...]:
    """Return the images of a group, each once; if several workloads share one, the credentials of one do for all."""
    found: dict[str, ImageRequest] = {}
    for workload in group.workloads:
        known = found.get(workload.image)
        if known is None or known.credentials is None:
            found[workload.image] = ImageRequest(workload.image, workload.credentials)
    return tuple(found.values())


def image_name(image: str) -> ImageName:
    """Return what an image's name says; the manifest's pattern has let it through."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    registry, path = (first.lower().removesuffix(":443"), rest) if is_host else (DEFAULT_REGISTRY, name)
    if registry in ALIASES:
        registry = DEFAULT_REGISTRY
    repository, _, tag = path.partition(":")
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    return ImageName(registry, repository, tag or DEFAULT_TAG, digest or None)

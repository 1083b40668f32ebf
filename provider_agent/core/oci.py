"""Reads what a registry says of an image (OCI image and distribution specifications 1.1, Docker's schema 2).

A registry is a stranger: sizes and digests in a manifest are claims, which whoever reads the content has to check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPTED = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))
GZIP_TYPES = (
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
TAR_TYPES = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar")
MAX_MANIFEST_BYTES = 4 * 2**20
"""What a registry has to take at least; a larger one nobody has to."""
MAX_CONFIG_BYTES = 8 * 2**20
MAX_LAYERS = 256

Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")]


class OciError(ValueError):
    """What a registry says is not of the specification, or not for this host; the message is the reason."""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """What a manifest says of a blob."""

    media_type: str
    digest: Digest
    size: Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class _Platform(msgspec.Struct, frozen=True):
    architecture: str
    os: str
    variant: str = ""


class _Choice(Descriptor, frozen=True, rename="camel"):
    platform: _Platform | None = None


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[_Choice, ...]


class _Manifest(msgspec.Struct, frozen=True):
    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=MAX_LAYERS)]


@dataclass(frozen=True, slots=True)
class ImageContent:
    """An image's configuration, whose digest is the image's id on an engine, and its layers, the lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def compressed_bytes(self) -> int:
        """What has to be transferred, as the manifest claims."""
        return sum(layer.size for layer in self.layers)


def read_index(body: bytes, architecture: str) -> Descriptor:
    """Return which manifest of an index is for a host.

    Args:
        architecture: of the host's engine, as Go names it.

    Raises:
        OciError: none is, or it is no index.
    """
    try:
        index = msgspec.json.decode(body, type=_Index)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OciError(f"the registry's list of images is malformed: {str(error)[:200]}") from error
    for choice in index.manifests:
        platform = choice.platform
        if platform is not None and (platform.os, platform.architecture) == ("linux", architecture):
            return choice
    raise OciError(f"the image is not made for linux/{architecture}")


def read_manifest(body: bytes) -> ImageContent:
    """Return what an image is made of.

    Raises:
        OciError: it is no manifest, or of something else than an image.
    """
    try:
        found = msgspec.json.decode(body, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OciError(f"the registry's description of the image is malformed: {str(error)[:200]}") from error
    for layer in found.layers:
        if layer.media_type not in (*GZIP_TYPES, *TAR_TYPES):
            raise OciError(f"the image has a layer of type {layer.media_type[:100]!r}, which is not taken")
    if found.config.size > MAX_CONFIG_BYTES:
        raise OciError(f"the image's configuration has {found.config.size} bytes, more than {MAX_CONFIG_BYTES}")
    return ImageContent(found.config, found.layers)

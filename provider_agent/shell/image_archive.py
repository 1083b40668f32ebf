"""Writes an image as an archive that an engine loads (`docker save`, format 1.2), while it comes from a registry.

An engine unpacks nothing before it has the whole archive: what is too large or not what was claimed breaks the archive
off, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
import tarfile
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from provider_agent.core.layer import Layer, LayerError
from provider_agent.core.oci import GZIP_TYPES, Descriptor, ImageContent
from provider_agent.shell.engine import ImagePullFailed
from provider_agent.shell.registry import Registry

GZIP = 16 + zlib.MAX_WBITS
STEP_BYTES = 4 * 2**20
ENTRY_BYTES = 4096
"""What each file, link or directory takes at least, however little is in it."""


@dataclass(frozen=True, slots=True)
class SizeLimits:
    compressed_bytes: int
    """Of all layers as they are transferred."""
    unpacked_bytes: int

    def check(self, content: ImageContent) -> None:
        """Refuse what claims to be too large, before anything is transferred.

        Raises:
            ImagePullFailed: it does.
        """
        if content.compressed_bytes > self.compressed_bytes:
            raise ImagePullFailed(
                f"the image has {content.compressed_bytes} bytes, more than the {self.compressed_bytes} that this "
                "provider takes"
            )


async def archive(registry: Registry, content: ImageContent, tag: str, limits: SizeLimits) -> AsyncIterator[bytes]:
    """Yield an image as one archive.

    Args:
        tag: what the image is called on the engine.

    Raises:
        ImageNotFound, ImagePullFailed: not all of it came, it is not what was claimed, or it is too large unpacked.
    """
    config = f"{_hex(content.config)}.json"
    async for piece in _file(config, content.config.size, registry.blob(content.config)):
        yield piece
    unpacked = _Unpacked(limits.unpacked_bytes)
    times = Counter(layer.digest for layer in content.layers)
    for layer in dict.fromkeys(content.layers):
        counted = unpacked.counted(registry.blob(layer), layer, times[layer.digest])
        async for piece in _file(f"{_hex(layer)}.tar", layer.size, counted):
            yield piece
    layers = [f"{_hex(layer)}.tar" for layer in content.layers]
    index = json.dumps([{"Config": config, "RepoTags": [tag], "Layers": layers}]).encode()
    yield _head("manifest.json", len(index)) + index + _padding(len(index))
    yield b"\0" * 1024


class _Unpacked:
    """Counts what layers become when they are unpacked, without keeping any of it."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes
        self._limit_bytes = limit_bytes

    async def counted(
        self, chunks: AsyncGenerator[bytes, None], layer: Descriptor, times: int
    ) -> AsyncGenerator[bytes, None]:
        """
        Args:
            times: how often the layer is in the image; an engine unpacks it as often.
        """
        is_packed = layer.media_type in GZIP_TYPES
        inflate = zlib.decompressobj(GZIP) if is_packed else None
        archive = Layer(may_be_unpacked=not is_packed)
        async for chunk in chunks:
            if inflate is None:
                self._take(archive, chunk, times)
            else:
                inflate = await asyncio.to_thread(self._inflate, inflate, chunk, archive, times)
            yield chunk

    def _inflate(self, inflate: zlib._Decompress, chunk: bytes, archive: Layer, times: int) -> zlib._Decompress:
        try:
            while chunk:
                self._take(archive, inflate.decompress(chunk, STEP_BYTES), times)
                chunk = inflate.unconsumed_tail
                if inflate.eof:  # gzip files may follow one another
                    chunk, inflate = inflate.unused_data, zlib.decompressobj(GZIP)
        except zlib.error as error:
            raise ImagePullFailed("the image has a layer that is not gzip") from error
        return inflate

    def _take(self, archive: Layer, piece: bytes, times: int) -> None:
        before = archive.entries
        try:
            archive.read(piece)
        except LayerError as error:
            raise ImagePullFailed(str(error)) from error
        self._left_bytes -= times * (len(piece) + ENTRY_BYTES * (archive.entries - before))
        if self._left_bytes < 0:
            raise ImagePullFailed(
                f"the image has more than the {self._limit_bytes} bytes unpacked that this provider takes"
            )


async def _file(name: str, size: int, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    yield _head(name, size)
    async for chunk in chunks:
        yield chunk
    yield _padding(size)


def _head(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return b"\0" * (-size % 512)


def _hex(descriptor: Descriptor) -> str:
    return descriptor.digest.removeprefix("sha256:")

"""Remembers over restarts which content the names of images meant for each lease, and when an image was last needed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

import msgspec
import structlog

from moorage.private_file import write_private
from moorage.types import OrderId
from provider_agent.core.images import Pin, Pins

log = structlog.get_logger(__name__)


class _Document(msgspec.Struct):
    pins: dict[str, dict[str, Pin]] = {}
    """By the lease's hex id and the name in the manifest."""
    used_seconds: dict[str, int] = {}


class ImageLedger:
    """A file, and what is in it. A file that cannot be read is begun anew: names are then resolved again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = asyncio.Lock()
        try:
            self._document = msgspec.json.decode(path.read_bytes(), type=_Document)
        except FileNotFoundError:
            self._document = _Document()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("record of images is unusable, names are resolved anew", reason=str(error))
            self._document = _Document()

    @property
    def used_seconds(self) -> dict[str, int]:
        """Image -> Unix time at which it was needed the last time."""
        return dict(self._document.used_seconds)

    def pins(self, lease: OrderId) -> Pins:
        """Return what is known of a lease."""
        return self._document.pins.get(lease.hex(), {})

    def needed(self) -> frozenset[str]:
        """Return the images of all leases."""
        return frozenset(pin.image for pins in self._document.pins.values() for pin in pins.values())

    async def put(self, lease: OrderId, reference: str, pin: Pin) -> None:
        """Keep what a name means for a lease. Disk errors are OSError."""
        self._document.pins.setdefault(lease.hex(), {})[reference] = pin
        await self._write()

    async def keep(self, lease: OrderId, references: Collection[str], now_seconds: int) -> None:
        """Forget all names of a lease but these. Disk errors are OSError."""
        pins = self._document.pins.get(lease.hex(), {})
        dropped = [pins.pop(reference) for reference in pins.keys() - set(references)]
        if not pins:
            self._document.pins.pop(lease.hex(), None)
        if dropped:
            self._document.used_seconds.update((pin.image, now_seconds) for pin in dropped)
            await self._write()

    async def drop(self, images: Collection[str]) -> None:
        """Forget when images were needed that are not there any more. Disk errors are OSError."""
        for image in images:
            self._document.used_seconds.pop(image, None)
        if images:
            await self._write()

    async def _write(self) -> None:
        async with self._writing:
            await asyncio.to_thread(write_private, self._path, msgspec.json.encode(self._document))

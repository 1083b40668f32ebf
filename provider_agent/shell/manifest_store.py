"""Where delivered manifests are kept: one private file for each lease, so that a restart needs no tenant.

What is read back is only as good as the disk: compare its hash with the version on chain before use.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Protocol

from moorage.private_file import write_private
from moorage.types import OrderId

MANIFESTS = "manifests"
"""The directory of an agent's ManifestFiles, in its data_dir."""
_NAME = re.compile(r"([0-9a-f]{64})\.json")


class ManifestStore(Protocol):
    """Keeps delivered manifests."""

    async def put(self, lease: OrderId, manifest: bytes) -> None: ...

    async def get(self, lease: OrderId) -> bytes | None: ...

    async def remove(self, lease: OrderId) -> None: ...

    async def leases(self) -> frozenset[OrderId]: ...


class ManifestFiles:
    """Keeps manifests below a directory. Disk errors are raised as OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, lease: OrderId, manifest: bytes) -> None:
        """Keep the canonical bytes, in place of those of an earlier version."""
        await asyncio.to_thread(write_private, self._path(lease), manifest)

    async def get(self, lease: OrderId) -> bytes | None:
        """Return what was put, or None."""
        try:
            return await asyncio.to_thread(self._path(lease).read_bytes)
        except FileNotFoundError:
            return None

    async def remove(self, lease: OrderId) -> None:
        """Forget a manifest; one that is not there is no error."""
        await asyncio.to_thread(self._path(lease).unlink, missing_ok=True)

    async def leases(self) -> frozenset[OrderId]:
        """Return the leases that have a manifest here."""
        return await asyncio.to_thread(self._leases)

    def _leases(self) -> frozenset[OrderId]:
        if not self._directory.exists():
            return frozenset()
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return frozenset(OrderId(bytes.fromhex(name[1])) for name in names if name)

    def _path(self, lease: OrderId) -> Path:
        return self._directory / f"{lease.hex()}.json"


class ManifestMemory:
    """The twin of ManifestFiles that forgets at exit."""

    def __init__(self) -> None:
        self._lease_to_manifest: dict[OrderId, bytes] = {}

    async def put(self, lease: OrderId, manifest: bytes) -> None:
        self._lease_to_manifest[lease] = manifest

    async def get(self, lease: OrderId) -> bytes | None:
        return self._lease_to_manifest.get(lease)

    async def remove(self, lease: OrderId) -> None:
        self._lease_to_manifest.pop(lease, None)

    async def leases(self) -> frozenset[OrderId]:
        return frozenset(self._lease_to_manifest)

"""Keeps what other agents have said about their workloads, so that a restart does not depend on their being there.

It is public and believed no more than when it came: certificates are checked again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from pathlib import Path

from moorage.private_file import write_private
from moorage.types import OrderId

Pair = tuple[OrderId, OrderId]
"""One of our leases, and the lease that was told about."""

_NAME = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})\.json")


class PeerAnswers:
    """Files below a directory. Disk errors are raised as OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, pair: Pair, answer: bytes) -> None:
        """Keep an answer in place of an earlier one."""
        await asyncio.to_thread(write_private, self._path(pair), answer)

    async def get(self, pair: Pair) -> bytes | None:
        """Return what was put, or None."""
        try:
            return await asyncio.to_thread(self._path(pair).read_bytes)
        except FileNotFoundError:
            return None

    async def keep(self, pairs: Collection[Pair]) -> None:
        """Forget the answers of all pairs but these."""
        await asyncio.to_thread(self._keep, pairs)

    def _keep(self, pairs: Collection[Pair]) -> None:
        if not self._directory.exists():
            return
        wanted = {self._path(pair) for pair in pairs}
        for path in self._directory.iterdir():
            if _NAME.fullmatch(path.name) and path not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, pair: Pair) -> Path:
        return self._directory / f"{pair[0].hex()}-{pair[1].hex()}.json"

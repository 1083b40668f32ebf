"""Machines for tests, each with a Docker engine of its own: three namespaces instead of three data centres."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.hosts import NEEDED, Hosts

needs_hosts = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(program) is None for program in NEEDED),
    reason=f"hosts take the rights of root and {', '.join(NEEDED)}",
)


@contextmanager
def running_hosts(count: int, *images: str) -> Iterator[Hosts]:
    """Start so many machines, with images of this machine's engine on each, and remove them in the end."""
    # a short path: it is part of the path of sockets
    hosts = Hosts(Path(tempfile.mkdtemp(prefix="hosts-")))
    try:
        asyncio.run(_start(hosts, count, images))
        yield hosts
    finally:
        left = asyncio.run(hosts.clear())
    assert not left


async def _start(hosts: Hosts, count: int, images: tuple[str, ...]) -> None:
    await hosts.start(count)
    if images:
        await hosts.load(images)

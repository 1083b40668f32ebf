"""Keeps the end of what containers wrote that are gone: a private file for each of a lease's containers.

A container that has crashed is made anew, and its engine's log goes with it; what it wrote last is what its tenant
wants to know. Lines are in the order in which they came, each with the run that wrote it, so that a run that is kept a
second time, by an agent that was killed before it had removed the container, is there once.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

import msgspec
import structlog

from moorage.private_file import make_directory, write_private
from moorage.streams import Source
from moorage.types import OrderId
from provider_agent.core.lease_names import replica_of
from provider_agent.core.log_frames import OutputLine
from provider_agent.shell.engine import EngineError, LogRange

KEPT_BYTES = 2 * 1024 * 1024
"""For each name of a container, as it is written here."""
KEPT_LINES = 10_000
"""No more of one run are read: it is the agent's time."""
KEEP_SECONDS = 10.0
"""So long a container that is to be made anew waits for its log to be read."""
PIECE_BYTES = 65_536
"""What a reader holds."""

log = structlog.get_logger(__name__)

Lines = AsyncGenerator[OutputLine, None]


class _Line(msgspec.Struct, array_like=True, frozen=True):
    run: str
    time: str
    stream: Source
    text: str
    is_cut: bool


class PastLogs:
    """Below a directory, with one for each lease. Disk errors are OSError, but where something is kept or read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def keep(self, container: str, run: str, lines: Lines) -> None:
        """Keep the end of what a run of a container wrote. What cannot be kept is lost, and holds nobody up.

        Args:
            run: identifies it; hex digits.
        """
        path = self._path(container)
        if path is None:
            return
        newest: deque[bytes] = deque()
        size_bytes = 0
        try:
            async with asyncio.timeout(KEEP_SECONDS), aclosing(lines):
                async for line in lines:
                    newest.append(_written(run, line))
                    size_bytes += len(newest[-1])
                    while size_bytes > KEPT_BYTES:
                        size_bytes -= len(newest.popleft())
        except (EngineError, TimeoutError) as error:
            log.warning("log of a container kept in part", container=container, reason=str(error) or "no answer")
        try:
            await asyncio.to_thread(_add, path, run, b"".join(newest))
        except OSError as error:
            log.warning("log of a container not kept", container=container, reason=str(error))

    async def has(self, container: str) -> bool:
        """Return whether something of a container is kept."""
        path = self._path(container)
        return path is not None and await asyncio.to_thread(path.is_file)

    async def read(self, container: str, run: str, wanted: LogRange) -> Lines:
        """Yield what is kept of a container, but of this run; what the disk has spoilt is left out."""
        path = self._path(container)
        file = await asyncio.to_thread(_opened, path) if path is not None else None
        if file is None:
            return
        with file:
            skipped = 0
            if wanted.tail is not None:
                skipped = max(0, await asyncio.to_thread(_count, file, run) - wanted.tail)
            while pieces := await asyncio.to_thread(file.readlines, PIECE_BYTES):
                for line in (each for each in map(_read, pieces) if each is not None and each.run != run):
                    skipped -= 1
                    if skipped < 0 and (wanted.since is None or line.time >= wanted.since):
                        yield OutputLine(line.time, line.stream, line.text, line.is_cut)

    async def containers(self, lease: OrderId) -> frozenset[str]:
        """Return the names of a lease's containers of which something is kept."""
        return await asyncio.to_thread(_names, self._directory / lease.hex())

    async def forget(self, lease: OrderId, but_for: Collection[str] = ()) -> None:
        """Remove what is kept of a lease, but for containers of these names."""
        await asyncio.to_thread(self._forget, lease, but_for)

    def keep_leases(self, leases: Collection[OrderId]) -> None:
        """Remove what is kept of all leases but these, and what an agent that was killed has left half written."""
        wanted = {lease.hex() for lease in leases}
        for place in self._directory.iterdir() if self._directory.is_dir() else ():
            if place.name not in wanted:
                shutil.rmtree(place)
            else:
                for draft in place.glob(".*"):
                    draft.unlink()

    def _forget(self, lease: OrderId, but_for: Collection[str]) -> None:
        place = self._directory / lease.hex()
        if not but_for and place.exists():
            shutil.rmtree(place)
        for name in _names(place) - set(but_for):
            (place / name).unlink(missing_ok=True)

    def _path(self, container: str) -> Path | None:
        """Return the file of a container; None: it is no tenant's."""
        replica = replica_of(container)
        return self._directory / replica.lease.hex() / container if replica is not None else None


async def with_past(
    past: Callable[[LogRange], Lines], now: Callable[[LogRange], Lines], room: int, wanted: LogRange
) -> Lines:
    """Yield what containers of one name wrote, the last one's last; what is written meanwhile comes in addition.

    Args:
        past: reads what is kept of those that are gone.
        now: reads the log of the one that is there.
        room: of the lines that are wanted, how many that log leaves to those before it.
    """
    if wanted.tail is None or room > 0:
        async with aclosing(past(LogRange(wanted.since, None if wanted.tail is None else room))) as lines:
            async for line in lines:
                yield line
        wanted = replace(wanted, tail=None)
    async with aclosing(now(wanted)) as lines:
        async for line in lines:
            yield line


def _written(run: str, line: OutputLine) -> bytes:
    return msgspec.json.encode(_Line(run, line.time, line.stream, line.text, line.is_cut)) + b"\n"


def _read(written: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(written, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_of(written: bytes, run: str) -> bool:
    return written.startswith(f'["{run}",'.encode())


def _add(path: Path, run: str, new: bytes) -> None:
    """Put the lines of a run behind those of others, and leave out the oldest where there is no room."""
    if not new:
        return
    before = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    whole = b"".join(each for each in before if not _is_of(each, run)) + new
    if len(whole) > KEPT_BYTES:
        whole = whole[whole.index(b"\n", len(whole) - KEPT_BYTES - 1) + 1 :]
    make_directory(path.parent)
    write_private(path, whole)


def _opened(path: Path) -> BufferedReader | None:
    try:
        return path.open("rb")
    except OSError:
        return None


def _count(file: BufferedReader, run: str) -> int:
    """Return how many lines are of other runs, and go back to the beginning."""
    count = sum(1 for each in file if not _is_of(each, run))
    file.seek(0)
    return count


def _names(place: Path) -> frozenset[str]:
    try:
        return frozenset(each.name for each in place.iterdir() if replica_of(each.name))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()

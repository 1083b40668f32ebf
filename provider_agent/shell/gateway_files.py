"""Keeps the files of the gateways: for each lease a directory with its configurations and its sockets.

A configuration is written whole beside the one that is used, and a link leads to it in one step: a gateway that starts
at any moment finds all of one and nothing of another.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provider_agent.core.gateway_container import CURRENT

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class GatewayFiles:
    directory: Path
    """Of one lease."""
    owner: tuple[int, int] | None
    """User and group that the gateway runs as; None: the agent's own."""

    @property
    def sockets(self) -> Path:
        return self.directory / "run"

    def current(self) -> dict[str, bytes]:
        """Return the configuration that is used; empty: none yet. Disk errors are OSError."""
        used = self._etc / CURRENT
        return {path.name: path.read_bytes() for path in used.iterdir()} if used.is_dir() else {}

    def use(self, files: Files) -> None:
        """Have a configuration used at the next start or reload, not the one before. Disk errors are OSError."""
        for folder in (self.directory, self._etc, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._hand_over(folder)
        name = _name(files)
        if not self._has(name, files):
            self._write(name, files)
        fresh = self._etc / f"{CURRENT}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(self._etc / CURRENT)

    def tidy(self) -> None:
        """Remove the configurations that are not used."""
        used = os.readlink(self._etc / CURRENT)
        for path in self._etc.iterdir():
            if path.name not in (used, CURRENT):
                shutil.rmtree(path)

    def remove(self) -> None:
        """Remove everything of the lease; what is not there is no error."""
        if self.directory.exists():
            shutil.rmtree(self.directory)

    @property
    def _etc(self) -> Path:
        return self.directory / "etc"

    def _has(self, name: str, files: Files) -> bool:
        """Return whether a configuration is there: a power cut may have left one that only looks like it."""
        there = self._etc / name
        return there.is_dir() and {path.name: path.read_bytes() for path in there.iterdir()} == dict(files)

    def _write(self, name: str, files: Files) -> None:
        fresh = self._etc / f"{name}.new"
        for leftover in (fresh, self._etc / name):
            if leftover.exists():
                shutil.rmtree(leftover)
        fresh.mkdir(mode=0o700)
        self._hand_over(fresh)
        for file, content in files.items():
            descriptor = os.open(fresh / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as opened:
                opened.write(content)
            self._hand_over(fresh / file)
        fresh.rename(self._etc / name)

    def _hand_over(self, path: Path) -> None:
        if self.owner is not None:
            os.chown(path, *self.owner)


def _name(files: Files) -> str:
    """Return a name that only these contents have."""
    hashed = hashlib.sha256()
    for name, content in sorted(files.items()):
        hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()[:32]

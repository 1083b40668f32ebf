"""One writer for each key: a locked file that names its holder. The kernel unlocks it when the holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from moorage.chain.rpc import ChainError


class KeyInUse(ChainError):
    """Another program sends with this key; the message says which, and what to do."""

    def __init__(self, text: str, holder: str | None = None) -> None:
        """
        Args:
            holder: number of the process that holds the key's lock; None if it is not known to be held.
        """
        super().__init__(text)
        self.holder = holder


class KeyLock:
    """Held from its making to `release`."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: of the lock's file, which is made if there is none and never removed.

        Raises:
            KeyInUse: another process, or another part of this one, holds it.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise KeyInUse(
                f"{path}: process {holder} sends with this key: end it, or give this program another key", holder
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)

"""What an operator asks of a running daemon, as files in its data directory: maintenance mode, and a fresh look.

Files need no process id, hold over a restart, and can be seen.
"""

from __future__ import annotations

from pathlib import Path

from moorage.private_file import write_private

DRAIN = "drain"
RECONCILE = "reconcile"


class Maintenance:
    """The requests in one data directory. The daemon looks at them in each cycle."""

    def __init__(self, data_dir: Path) -> None:
        self._drain = data_dir / DRAIN
        self._reconcile = data_dir / RECONCILE

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is to be begun; what has been promised is kept.

        A directory that cannot be read does not begin maintenance: a provider would lose its orders for it.
        """
        return _exists(self._drain)

    def drain(self, is_on: bool) -> None:
        """Begin or end maintenance mode; nothing happens if it is so already.

        Raises:
            OSError: the data directory cannot be written.
        """
        if is_on:
            write_private(self._drain, b"")
        else:
            self._drain.unlink(missing_ok=True)

    def ask_reconcile(self) -> None:
        """Ask for everything to be read again.

        Raises:
            OSError: the data directory cannot be written.
        """
        write_private(self._reconcile, b"")

    def take_reconcile(self) -> bool:
        """Return whether a fresh look was asked for; the request is gone then."""
        try:
            self._reconcile.unlink()
        except OSError:
            return False
        return True


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False

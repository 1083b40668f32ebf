"""Puts secrets where containers find them: files in memory, in a directory for each container, which is bound to it.

On the host nobody gets through the directory above them but the agent and root. In the container everybody may read
them, whatever user it runs as: everybody there is the tenant. The engine sees the directory's name and never a value.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from provider_agent.core.containers import SecretFiles

RUNTIME_VARIABLE = "RUNTIME_DIRECTORY"
"""systemd's word for a directory of a service in memory."""
SHARED_MEMORY = Path("/dev/shm")


class SecretFilesError(Exception):
    """They could not be written; the message is fit for a tenant to read."""


def secrets_directory(tag: str) -> Path:
    """Return where an agent keeps secrets: in its runtime directory, or else in shared memory.

    Args:
        tag: tells the agents of one host apart.
    """
    given = os.environ.get(RUNTIME_VARIABLE)
    parent = Path(given.partition(":")[0]) if given else SHARED_MEMORY
    return parent / f"moorage-secrets-{os.getuid()}-{tag}"


class SecretDirectory:
    """The secrets of all containers of one agent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, container: str, secrets: SecretFiles) -> Path:
        """Write a container's secrets, in place of those before, and return their directory.

        Raises:
            SecretFilesError: there is no room, or the directory is somebody else's.
        """
        place = self._path / container
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
            if not self._is_own():
                raise SecretFilesError("the provider's directory for secrets is not its own")
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
            for old in {each.name for each in place.iterdir()} - {name for name, _ in secrets.files}:
                (place / old).unlink()
            for name, value in secrets.files:
                _write(place / name, value.encode())
        except OSError as error:
            raise SecretFilesError(f"the secrets cannot be delivered: {error.strerror}") from error
        return place

    def keep(self, containers: Collection[str]) -> None:
        """Remove the secrets of all containers but these: what an agent that was killed has left."""
        if os.path.lexists(self._path) and self._is_own():  # what is somebody else's is told when it is to be used
            for name in {each.name for each in self._path.iterdir()} - set(containers):
                self.remove(name)

    def remove(self, container: str) -> None:
        """Remove a container's secrets; none is no error."""
        shutil.rmtree(self._path / container, ignore_errors=True)

    def _is_own(self) -> bool:
        """Return whether it is a directory of this user's, closed to all others."""
        found = self._path.lstat()
        return found.st_uid == os.getuid() and found.st_mode & 0o170077 == 0o040000


def _write(path: Path, content: bytes) -> None:
    """Write a file whose name stays whole for those who have the directory bound."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o444)
    draft.replace(path)

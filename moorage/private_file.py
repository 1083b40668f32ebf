"""Files that only their owner may read: keys and manifests. A write is whole or did not happen."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WITHOUT_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
"""How a file system says that it has no hard links, see link(2)."""


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 so that a crash leaves the old content or the new, never a part.

    The directory is made with mode 0700 if it is missing.

    Raises:
        OSError: the disk is full, or the directory may not be written; it names the file.
    """
    write_whole(path, data, 0o600)


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Write a file of any mode in the same way.

    Raises:
        OSError: see write_private.
    """
    try:
        _write(path, data, mode)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # not a draft's name, nor none at all
        raise


def create_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 where there is none; of several that do it at once one succeeds, and its file is whole.

    Raises:
        FileExistsError: there is something, a link to nothing included; it is as it was.
        OSError: see write_private.
    """
    create_whole(path, data, 0o600)


def create_whole(path: Path, data: bytes, mode: int) -> None:
    """Write a file of any mode in the same way.

    Raises:
        FileExistsError, OSError: see create_private.
    """
    try:
        _write(path, data, mode, is_new=True)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _write(path: Path, data: bytes, mode: int, *, is_new: bool = False) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _take(path, draft)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _take(path: Path, draft: Path) -> None:
    """Give a draft its name, unless something has it."""
    try:
        os.link(draft, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        # empty for a moment, and nobody else's all the same
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            draft.replace(path)
        except OSError:
            path.unlink()
            raise


def make_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing, so that nobody else may look into any of them.

    Raises:
        OSError: it may not be made, or there is something else.
    """
    for each in (*reversed(path.parents), path):
        each.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def lock(path: Path, *, is_waiting: bool) -> Iterator[None]:
    """Hold a file that one program at a time can hold; it is made if it is missing, and stays.

    Raises:
        BlockingIOError: another program holds it, and it is not to be waited for.
        OSError: the directory may not be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def is_private(path: Path) -> bool:
    """Return whether only the owner has any right on the file.

    Of what systemd hands over as a credential, others may have none; it may let its reader in as if by the group.

    Raises:
        FileNotFoundError: there is no such file.
    """
    forbidden = 0o007 if _is_credential(path) else 0o077
    return stat.S_IMODE(path.stat().st_mode) & forbidden == 0


def is_unchangeable(directory: Path) -> bool:
    """Return whether others may not put another file in the place of one in a directory.

    Raises:
        FileNotFoundError: there is no such directory.
    """
    mode = directory.stat().st_mode
    return not mode & (stat.S_IWGRP | stat.S_IWOTH) or bool(mode & stat.S_ISVTX)


def _is_credential(path: Path) -> bool:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(directory) and path.resolve().parent == Path(str(directory)).resolve()


def _sync_directory(directory: Path) -> None:
    """Make the rename itself survive a power loss."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

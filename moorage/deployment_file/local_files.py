"""Reads files that a deployment file names: regular ones only, of a limited size, whatever stands at the path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

UNREADABLE_DIRECTORIES = ("/proc", "/sys", "/dev")
"""What stands there looks like a file but is a part of this machine: /proc/self/environ holds the variables."""

STEP = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a directory on the way to a file is opened: that it may be searched is enough where the system knows of that."""


def read_bytes(path: Path, limit: int, *, is_resolved: bool = False) -> bytes:
    """Return what is in a regular file, at most one byte more than the limit.

    Args:
        is_resolved: the path is absolute and was without links when it was decided that it may be read: one that has
            come into it since then is not followed.

    Raises:
        OSError: it can't be read.
        ValueError: it is something else than a file; the text says so.
    """
    path = path if is_resolved else path.resolve()
    if any(path.is_relative_to(directory) for directory in UNREADABLE_DIRECTORIES):
        raise ValueError("it is not a regular file")
    directory = _opened_directory(path.parent)
    try:
        descriptor = _opened_file(path.name, directory)
    finally:
        os.close(directory)
    with os.fdopen(descriptor, "rb") as file:
        _check_is_regular(os.fstat(descriptor))  # it may be another one by now
        return file.read(limit + 1)


def _opened_directory(path: Path) -> int:
    """Return the open directory, reached step by step, none of which is a link.

    Raises:
        OSError
    """
    descriptor = os.open(path.anchor, STEP)
    for part in path.parts[1:]:
        try:
            step = os.open(part, STEP, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = step
    return descriptor


def _opened_file(name: str, directory: int) -> int:
    _check_is_regular(os.stat(name, dir_fd=directory, follow_symlinks=False))  # opening it can do something by itself
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)


def _check_is_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a regular file")

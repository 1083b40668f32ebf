"""Reads files that a deployment file names: regular ones only, of a limited size, whatever stands at the path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

UNREADABLE_DIRECTORIES = ("/proc", "/sys", "/dev")
"""What stands there looks like a file but is a part of this machine: /proc/self/environ holds the variables."""


def read_bytes(path: Path, limit: int) -> bytes:
    """Return what is in a regular file, at most one byte more than the limit.

    Raises:
        OSError: it can't be read.
        ValueError: it is something else than a file; the text says so.
    """
    path = path.resolve()
    if any(path.is_relative_to(directory) for directory in UNREADABLE_DIRECTORIES):
        raise ValueError("it is not a regular file")
    _check_is_regular(path.stat())  # not opened if it is not: that alone can do something
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block
    with os.fdopen(descriptor, "rb") as file:
        _check_is_regular(os.fstat(descriptor))  # it may be another one by now
        return file.read(limit + 1)


def _check_is_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a regular file")

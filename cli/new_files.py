"""Files that are made where there is nothing, readable by their owner alone; what is there is never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from cli.failures import ExitStatus, Failure
from moorage.private_file import create_private


def taken(path: Path, status: ExitStatus = ExitStatus.USAGE) -> Failure:
    """Return what to raise where there is something."""
    return Failure(status, f"{path}: there is something already; it is never overwritten, give another name")


def check_free(path: Path, otherwise: Failure) -> None:
    """See that there is nothing at a path, before anybody is asked for anything.

    Raises:
        Failure: there is; a link to nothing counts.
    """
    if os.path.lexists(path):
        raise otherwise


def write_new(path: Path, data: bytes, otherwise: Failure) -> None:
    """Write a file that is not there.

    Raises:
        Failure: it is there by now.
        OSError: the disk is full, or the directory may not be written.
    """
    try:
        create_private(path, data)
    except FileExistsError:
        raise otherwise from None

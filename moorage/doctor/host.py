"""Checks of the machine: directories, keys, ports."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.keys import KeyFileError, load_key
from moorage.types import Address

LEAST_FREE_BYTES = 2**30
CONNECT_SECONDS = 3.0


def check_data_dir(path: Path, precious: Sequence[str], name: str = "data_dir") -> list[Finding]:
    """See that the data directory is private and writable, and say what of it has to be backed up.

    Args:
        precious: names of files that nothing can bring back.
        name: what the directory is called where it is set.
    """
    where = f"{name} {path}"
    if not path.exists():
        parent = next(each for each in path.parents if each.exists())
        if not os.access(parent, os.W_OK):
            return [failure(where, f"is not there, and {parent} may not be written", "make it, owned by this user")]
        return [ok(where, "is made at the first start")]
    if not path.is_dir():
        return [failure(where, "is not a directory", f"name another {name}")]
    if not os.access(path, os.W_OK | os.X_OK):
        return [failure(where, "may not be written by this user", f"chown it: chown -R $USER {path}")]
    findings = []
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        findings.append(warning(where, "others may look into it", f"run chmod 700 {path}"))
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE_BYTES:
        remedy = "make room: without it no transaction can be written down, and none is sent"
        findings.append(warning(where, f"only {free // 2**20} MiB are free on its disk", remedy))
    kept = [name for name in precious if (path / name).exists()]
    if kept:
        findings.append(ok(where, f"back up {' and '.join(kept)}: nothing can bring them back"))
    return findings or [ok(where, "private and writable")]


def check_key(path: Path | None, password_file: Path | None, owner: str) -> tuple[Address | None, list[Finding]]:
    """Open a key; return its address and what was found."""
    if path is None:
        return None, [warning("key", "none: dry mode, nothing is sent", "set key_file")]
    try:
        address = Address(load_key(path, password_file).address)
    except KeyFileError as error:
        what, _, remedy = str(error).rpartition(": ")
        return None, [failure(f"key {path}", what.removeprefix(f"{path}: ") or str(error), remedy)]
    return address, [ok(f"key {path}", f"{owner} {address}")]


async def check_port(where: str, address: tuple[str, int] | None) -> list[Finding]:
    """See whether a port is free, or taken by somebody who answers: a running daemon, most likely."""
    if address is None:
        return [warning(where, "switched off", "set it, so that alerts can be raised")]
    shown = f"{address[0]}:{address[1]}"
    if bind_fault(address) is None:
        return [ok(where, f"{shown} is free: the program does not run now")]
    if await is_answering(*address):
        return [ok(where, f"{shown} is taken and answers: by this program, if it runs")]
    return [failure(where, f"{shown} can't be bound and nobody answers there", "choose an address of this host")]


async def is_answering(host: str, port: int) -> bool:
    """Return whether a TCP connection can be made."""
    target = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(target, port)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True
    return False


def bind_fault(address: tuple[str, int]) -> int | None:
    """Return why a port can't be listened at, as a number of errno; None: it can."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            return error.errno
        return None

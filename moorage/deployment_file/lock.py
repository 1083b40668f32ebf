"""The lock of a deployment file: the SHA-256 of each file that it includes, so that a change is noticed.

It stands beside the deployment file under its name with `.lock`, and `moorage validate --lock` writes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from moorage.closed import END, Closed
from moorage.deployment_file.local_files import read_bytes
from moorage.deployment_file.problems import DeploymentFileError, Position, Problem, Source
from moorage.private_file import write_whole
from moorage.told import printable

FORMAT = "0.1"
MAX_BYTES = 1_000_000

Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}" + END)]


class _LockFile(Closed, frozen=True, kw_only=True):
    lock: Literal["0.1"]
    includes: dict[str, Digest]


@dataclass(frozen=True, slots=True)
class Lock:
    """What is known of included files."""

    name: str
    """Of its file."""
    digests: dict[str, str]
    """Address, or path from the deployment file's directory -> digest."""


def digest(content: bytes) -> str:
    """Return the digest of a file as the lock has it."""
    return f"sha256:{sha256(content).hexdigest()}"


def lock_path(file: Path) -> Path:
    """Return where the lock of a deployment file stands."""
    return file.with_suffix(".lock" if file.suffix != ".lock" else ".lock.lock")


def read_lock(file: Path, *, is_replaced: bool = False) -> Lock:
    """Return the lock of a deployment file, an empty one if there is none.

    Args:
        is_replaced: whether it is about to be written anew, so that it does not matter what is wrong with it.

    Raises:
        DeploymentFileError: it can't be read, or is none.
    """
    path = lock_path(file)
    try:
        return Lock(path.name, _decoded(read_bytes(path, MAX_BYTES)))
    except FileNotFoundError:
        return Lock(path.name, {})
    except OSError as error:
        reason = f"the lock can't be read: {error.strerror}"
    except ValueError as error:
        if is_replaced:
            return Lock(path.name, {})
        reason = f"the lock can't be read: {error}; `moorage validate --lock` writes it anew"
    raise DeploymentFileError([Problem(Position(Source(str(path))), reason)])


def write_lock(file: Path, digests: dict[str, str]) -> Path:
    """Write the lock of a deployment file and return its path. A crash leaves the old one or the new one.

    Raises:
        OSError: it names the lock.
    """
    path = lock_path(file)
    text = json.dumps({"lock": FORMAT, "includes": dict(sorted(digests.items()))}, indent=2, ensure_ascii=False)
    write_whole(path, f"{text}\n".encode(), 0o644)
    return path


def _decoded(content: bytes) -> dict[str, str]:
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    try:
        return msgspec.json.decode(content, type=_LockFile).includes
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no lock: {printable(str(error))}") from error

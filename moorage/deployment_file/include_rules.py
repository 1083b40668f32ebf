"""Decides which files may be included: remote ones that are wanted or locked, and those that have not changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moorage.deployment_file import addresses
from moorage.deployment_file.lock import Lock, digest, read_lock

LOCKING = "`moorage validate --lock`"


class NotIncluded(Exception):
    """Why a file is not included, and what to do about it."""


def _fetch(address: str) -> bytes:
    from moorage.deployment_file.fetching import fetch  # takes long to import, and few files are remote

    return fetch(address)


@dataclass(frozen=True, slots=True)
class IncludeRules:
    """What the tenant wants to be included."""

    is_remote_allowed: bool = False
    """Whether remote files that the lock does not have are included, if they come by https."""
    is_frozen: bool = False
    """Whether every file has to be what the lock has, local ones too."""
    is_locking: bool = False
    """Whether the lock is about to be written anew."""
    fetch: Callable[[str], bytes] = _fetch
    """Returns what stands at an address; raises NotIncluded."""


class Admission:
    """Holds each file against the rules and the lock, and remembers its digest."""

    def __init__(self, file: Path, rules: IncludeRules) -> None:
        """
        Args:
            file: the deployment file.
        """
        self.digests: dict[str, str] = {}
        """What a lock of all these files has."""
        self._file = file
        self._directory = file.resolve().parent
        self._rules = rules
        self._lock: Lock | None = None
        self._fetched: dict[str, bytes] = {}

    def remote(self, address: str) -> bytes:
        """Return a remote file.

        Raises:
            NotIncluded
            DeploymentFileError: the lock can't be read.
        """
        if (objection := addresses.objection(address)) is not None:
            raise NotIncluded(objection)
        self._check_may_be_fetched(address)
        if address not in self._fetched:
            self._fetched[address] = self._rules.fetch(address)
        content = self._fetched[address]
        if not (self._rules.is_locking and addresses.is_protected(address)):
            self._check_digest(address, content)
        self.digests[address] = digest(content)
        return content

    def check_local(self, path: Path, content: bytes) -> None:
        """Return if a local file is what it has to be.

        Raises:
            NotIncluded
            DeploymentFileError: the lock can't be read.
        """
        name = str(path.relative_to(self._directory) if path.is_relative_to(self._directory) else path)
        if self._rules.is_frozen:
            self._check_is_locked(name)
            self._check_digest(name, content)
        self.digests[name] = digest(content)

    def _check_may_be_fetched(self, address: str) -> None:
        if self._rules.is_frozen:
            self._check_is_locked(address)
        lock = self._read_lock()
        if address in lock.digests:
            return
        if not addresses.is_protected(address):
            advice = f'use https, or add "{address}": "sha256:..." of a copy that you trust to {lock.name}'
            raise NotIncluded(f"it could be altered on its way; {advice}")
        if not (self._rules.is_remote_allowed or self._rules.is_locking):
            ways = f"{LOCKING} fetches it and keeps its digest, --allow-remote-include takes it as it is"
            raise NotIncluded(f"it is not in {lock.name}; {ways}")

    def _check_is_locked(self, name: str) -> None:
        lock = self._read_lock()
        if name not in lock.digests:
            raise NotIncluded(f"it is not in {lock.name}, and --frozen takes only what is; {LOCKING} adds it")

    def _check_digest(self, name: str, content: bytes) -> None:
        lock = self._read_lock()
        locked, found = lock.digests.get(name, digest(content)), digest(content)
        if locked != found:
            advice = f"look at what has changed, then run {LOCKING}"
            raise NotIncluded(f"it is {found[:20]}... and in {lock.name} {locked[:20]}...; {advice}")

    def _read_lock(self) -> Lock:
        if self._lock is None:
            self._lock = read_lock(self._file, is_replaced=self._rules.is_locking)
        return self._lock

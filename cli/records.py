"""What the tenant's own machine remembers of its deployments: the manifest, and the salt that names the deployment.

A record is written before the transaction is sent, so that no deployment is ever without its manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from cli.failures import ExitStatus, Failure
from moorage.chain.market import Market
from moorage.manifest import version_of
from moorage.private_file import lock, make_directory, write_private
from moorage.types import Address, DeploymentId, Version

FORMAT = 2
READABLE_FORMATS = (1, FORMAT)
"""The first had one manifest for each deployment."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What a deployment file came to once."""

    manifest: bytes
    """Canonical."""
    terms_digest: bytes
    """Of what was ordered with it: groups and wait duration."""

    @property
    def version(self) -> Version:
        return version_of(self.manifest)


@dataclass(frozen=True, slots=True)
class Record:
    """One deployment that was or is about to be submitted."""

    deployment: DeploymentId
    file: Path
    """Absolute path of the deployment file."""
    salt: bytes
    """Of the deployment's id; the manifest has one of its own."""
    manifest: bytes
    """Canonical; the newest that was or is about to be submitted."""
    terms_digest: bytes
    """Of what was ordered with it: groups and wait duration."""
    created_seconds: int
    """Unix time."""
    earlier: tuple[Revision, ...] = ()
    """What may still be on chain, the newest first: until an update is final nobody knows."""

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """All that may be on chain, the newest first."""
        return Revision(self.manifest, self.terms_digest), *self.earlier

    def revision(self, version: Version) -> Revision | None:
        """Return what this machine has of a version."""
        return next((each for each in self.revisions if each.version == version), None)

    def updated(self, manifest: bytes, terms_digest: bytes) -> Record:
        """Return the record of an update that is about to be submitted."""
        return replace(self, manifest=manifest, terms_digest=terms_digest, earlier=self.revisions)

    def corrected(self, terms_digest: bytes) -> Record:
        """Return the record of an update that leaves the manifest and changes what is ordered."""
        return replace(self, terms_digest=terms_digest)

    def narrowed(self, revision: Revision) -> Record:
        """Return the record of a deployment of which only one version counts any more."""
        return replace(self, manifest=revision.manifest, terms_digest=revision.terms_digest, earlier=())


class Records:
    """The records of one wallet on one market. Files are of mode 0600: manifests hold what is nobody else's."""

    def __init__(self, state_directory: Path, market: Market, tenant: Address) -> None:
        self._state, self._market, self.tenant = state_directory, market, tenant
        self._directory = state_directory / "moorage" / f"{market.chain_id}-{market.exchange}" / tenant

    def of(self, tenant: Address) -> Records:
        """Return the records of another wallet on the same market: whose deployment it is has its record."""
        return self if tenant == self.tenant else Records(self._state, self._market, tenant)

    def others(self) -> tuple[Records, ...]:
        """Return those of all other wallets that this machine has on the same market."""
        names = sorted(path.name for path in self._directory.parent.glob("0x*") if path.is_dir())
        return tuple(self.of(Address(name)) for name in names if name != self.tenant)

    @property
    def notifications(self) -> Path:
        """The directory of what was notified, a journal for each deployment."""
        return self._directory / "notifications"

    def all(self) -> tuple[Record, ...]:
        """Return every record, the newest first.

        Raises:
            Failure: a file is not a record.
        """
        paths = sorted(self._directory.glob("*.json")) if self._directory.is_dir() else []
        records = [record for path in paths if (record := _read(path)) is not None]
        return tuple(sorted(records, key=lambda record: (-record.created_seconds, record.deployment)))

    def of_file(self, file: Path) -> tuple[Record, ...]:
        """Return the records of one deployment file, the newest first."""
        return tuple(record for record in self.all() if record.file == file.resolve())

    def find(self, deployment: DeploymentId) -> Record | None:
        """Return the record of a deployment if this machine has it."""
        return _read(self._path(deployment))

    def save(self, record: Record) -> None:
        """Keep a record; it is whole on the disk when this returns."""
        document = {
            "format": FORMAT,
            "file": str(record.file),
            "salt": record.salt.hex(),
            "manifest": record.manifest.decode(),
            "terms_digest": record.terms_digest.hex(),
            "created_seconds": record.created_seconds,
            "earlier": [
                {"manifest": each.manifest.decode(), "terms_digest": each.terms_digest.hex()} for each in record.earlier
            ],
        }
        write_private(self._path(record.deployment), msgspec.json.encode(document))

    def remove(self, deployment: DeploymentId) -> None:
        """Forget a deployment that has ended."""
        self._path(deployment).unlink(missing_ok=True)

    def put_back(self, deployment: DeploymentId, before: Record | None) -> None:
        """Make a record what it was again; None if there was none."""
        if before is None:
            self.remove(deployment)
        else:
            self.save(before)

    @contextmanager
    def provisional(self, record: Record) -> Iterator[None]:
        """Keep a record, unless what is done with it fails."""
        before = self.find(record.deployment)
        self.save(record)
        try:
            yield
        except BaseException:
            self.put_back(record.deployment, before)
            raise

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other runs from submitting at the same time: two of them would order everything twice.

        Raises:
            Failure: another run is at it.
        """
        make_directory(self._directory)
        with ExitStack() as held:
            try:
                held.enter_context(lock(self._directory / ".lock", is_waiting=False))
            except BlockingIOError:
                text = "another `moorage` of this wallet is about to submit: wait until it has"
                raise Failure(ExitStatus.ERROR, text) from None
            yield

    def _path(self, deployment: DeploymentId) -> Path:
        return self._directory / f"{deployment.hex()}.json"


def _read(path: Path) -> Record | None:
    """Return what a file holds; None if there is none, or none any more: another run may have removed it."""
    try:
        document: Any = msgspec.json.decode(path.read_bytes())
        if document["format"] not in READABLE_FORMATS:
            raise ValueError(f"format {document['format']}")
        return Record(
            deployment=DeploymentId(bytes.fromhex(path.stem)),
            file=Path(document["file"]),
            salt=bytes.fromhex(document["salt"]),
            manifest=document["manifest"].encode(),
            terms_digest=bytes.fromhex(document["terms_digest"]),
            created_seconds=int(document["created_seconds"]),
            earlier=tuple(map(_revision, document.get("earlier", []))),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"{path}: not a record of a deployment ({error}): restore it, or move it away and use --deployment"
        raise Failure(ExitStatus.ERROR, text) from None


def _revision(document: Any) -> Revision:
    return Revision(document["manifest"].encode(), bytes.fromhex(document["terms_digest"]))

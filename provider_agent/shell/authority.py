"""A provider's certificate authorities on disk: the root, whose key may be kept elsewhere, and the intermediate below.

`root.pem` has the key and may be moved away, `root.crt` is the certificate alone and stays; `intermediate.pem` issues
everything that is needed from day to day.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from moorage import pki
from moorage.private_file import write_private

ROOT_KEY, ROOT, INTERMEDIATE = "root.pem", "root.crt", "intermediate.pem"
SERVER, CLIENT = "server.pem", "client.pem"
"""The agent's leaves, beside them."""

RESTORE = "restore its backup"
REMEDIES = dict.fromkeys((SERVER, CLIENT), "remove it, the agent makes another")
"""What to do about a file of that name that is unusable; of any other, what `RESTORE` says."""

log = structlog.get_logger(__name__)


def store_root(root: pki.Credential, path: Path) -> None:
    """Write a root with its key, and beside it the certificate alone.

    Args:
        path: ends in .pem; the certificate's ends in .crt.

    Raises:
        OSError: a file cannot be written.
    """
    pki.store(root, path)
    write_certificate(root.certificate, path)


def write_certificate(certificate: x509.Certificate, path: Path) -> None:
    """Write the certificate that belongs to a .pem beside it. Disk errors are OSError."""
    write_private(path.with_suffix(".crt"), certificate.public_bytes(Encoding.PEM))


def remove_root(path: Path) -> None:
    """Delete a root with its key, the key first. Disk errors are OSError."""
    path.unlink(missing_ok=True)
    path.with_suffix(".crt").unlink(missing_ok=True)


def move_root(path: Path, target: Path) -> None:
    """Put a root, with its key if that is here, in place of another one. Disk errors are OSError.

    A crash in between leaves the certificate where it was, so that the same call completes it.
    """
    if path.exists():
        remove_root(target)
        path.replace(target)
    path.with_suffix(".crt").replace(target.with_suffix(".crt"))


def load(path: Path) -> pki.Credential:
    """Read a key with its certificate from the data directory.

    Raises:
        FileNotFoundError: there is no such file.
        PkiError: it is unusable; the message says what to do.
    """
    try:
        return pki.load(path)
    except pki.UnusableFileError as error:
        remedy = REMEDIES.get(path.name, RESTORE)
        if path.name == INTERMEDIATE:
            has_key = path.with_name(ROOT_KEY).exists()
            remedy = "" if has_key else f"{RESTORE}, or bring the root's key and "
            remedy += "move it away, a new one is made"
        raise pki.PkiError(f"{error}: {remedy}") from error


def load_root_certificate(path: Path) -> x509.Certificate | None:
    """Return the certificate of a root, from its .crt or, of a registration before there were any, from its .pem.

    Args:
        path: ends in .pem.

    Raises:
        PkiError: what is there is unusable, or .crt and .pem are of different roots.
    """
    try:
        key = load(path)
    except FileNotFoundError:
        key = None
    try:
        found = x509.load_pem_x509_certificate(path.with_suffix(".crt").read_bytes())
    except FileNotFoundError:
        return key.certificate if key is not None else None
    except ValueError as error:
        remedy = f"remove it, it is written again from {path.name}" if key is not None else RESTORE
        raise pki.PkiError(f"{path.with_suffix('.crt')} is not a certificate: {remedy}") from error
    if key is not None and key.certificate != found:
        raise pki.PkiError(f"{path} and {path.with_suffix('.crt')} are different roots: remove the wrong one")
    return found


class Authority:
    """What leaves are issued from: the intermediate, made anew as long as the root's key is at hand."""

    def __init__(self, directory: Path, root: x509.Certificate, now: datetime) -> None:
        """
        Args:
            directory: holds `intermediate.pem`, and `root.pem` if its key is not kept elsewhere.
            root: as it is registered.
            now: with a time zone.

        Raises:
            PkiError: there is no intermediate of this root, and no key to make one.
            OSError: one cannot be stored.
        """
        self.root = root
        if not (directory / ROOT).exists():  # registered before there was one
            write_certificate(root, directory / ROOT_KEY)
        self._directory = directory
        self._issuer = self._load() or self._make(now)
        self.renew_if_due(now)

    @property
    def issuer(self) -> pki.Credential:
        """The intermediate as it is now."""
        return self._issuer

    @property
    def expires(self) -> datetime:
        """When the intermediate expires."""
        return self._issuer.certificate.not_valid_after_utc

    def renew_if_due(self, now: datetime) -> bool:
        """Make a new intermediate if the time has come and the root's key is at hand; return whether it did.

        Raises:
            PkiError: the root's key is unusable, or the root has expired.
            OSError: the new one cannot be stored.
        """
        if not pki.is_renewal_due(self._issuer.certificate, now) or not (self._directory / ROOT_KEY).exists():
            return False
        self.renew(now)
        return True

    def renew(self, now: datetime) -> None:
        """Make a new intermediate.

        Raises:
            PkiError: the root's key is not here or unusable, or the root has expired.
            OSError: the new one cannot be stored.
        """
        self._issuer = self._make(now)
        log.info("intermediate certificate renewed", expires=self.expires.isoformat())

    def _load(self) -> pki.Credential | None:
        path = self._directory / INTERMEDIATE
        try:
            found = load(path)
        except FileNotFoundError:
            return None
        if not pki.is_issued_by(found.certificate, self.root):
            log.warning("intermediate certificate is of another root", path=str(path))
            return None
        return found

    def _make(self, now: datetime) -> pki.Credential:
        path = self._directory / ROOT_KEY
        try:
            root = load(path)
        except FileNotFoundError:
            raise pki.PkiError(
                f"{self._directory / INTERMEDIATE}: none of the registered root, and {path} is not here to make one: "
                "restore its backup, or bring the root's key for as long as `moorage-provider certificates` takes"
            ) from None
        if root.certificate != self.root:
            raise pki.PkiError(f"{path} is not the key of the registered root: restore the right one")
        made = pki.create_intermediate(root, now)
        pki.store(made, self._directory / INTERMEDIATE)
        return made

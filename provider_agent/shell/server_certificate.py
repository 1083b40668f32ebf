"""The agent's TLS identity on disk: its root, made once, and a server leaf renewed at two thirds of its life."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from moorage import pki
from moorage.types import Address, ProviderNumber


def open_root(path: Path, provider: ProviderNumber, exchange: Address, now: datetime) -> pki.Credential:
    """Return the provider's root, made and stored if there is none.

    Raises:
        PkiError: the file is unusable, or holds another provider's root.
    """
    name = pki.provider_name(provider, exchange)
    try:
        root = pki.load(path)
    except FileNotFoundError:
        root = pki.create_root(provider, exchange, now)
        pki.store(root, path)
    if pki.name_of(root.certificate) != name:
        raise pki.PkiError(f"{path} is the root of {pki.name_of(root.certificate)}, not of {name}")
    return root


class ServerCertificate:
    """A server context whose leaf is kept fresh. Open connections keep the leaf that they began with."""

    def __init__(self, root: pki.Credential, path: Path, now: datetime, hosts: Sequence[str] = ()) -> None:
        self._root = root
        self._path = path
        self._hosts = hosts
        self._leaf = self._issue(now)
        self.context: ssl.SSLContext = pki.ssl_server_context(path)

    @property
    def expires(self) -> datetime:
        """When the leaf that is served now expires."""
        return self._leaf.certificate.not_valid_after_utc

    def renew_if_due(self, now: datetime) -> bool:
        """Put a new leaf into the context if the time has come; return whether it had.

        Raises:
            PkiError: the root has expired.
            OSError: the leaf cannot be stored.
        """
        if not pki.is_renewal_due(self._leaf.certificate, now):
            return False
        leaf = self._issue(now)
        self.context.load_cert_chain(self._path)
        self._leaf = leaf  # only now: what fails is tried again
        return True

    def _issue(self, now: datetime) -> pki.Credential:
        leaf = pki.issue_server(self._root, now, self._hosts)
        pki.store(leaf, self._path)
        return leaf

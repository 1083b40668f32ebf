"""The agent's leaves on disk, renewed at two thirds of their life, and the TLS context that it listens with.

The context is replaced for each new connection by the newest one: it alone says whose certificates count now.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

import structlog

from moorage import pki, tls

log = structlog.get_logger(__name__)


class Leaf:
    """A certificate with its key in a file, made anew in time."""

    def __init__(self, make: Callable[[datetime], pki.Credential], path: Path, now: datetime) -> None:
        """
        Args:
            make: issues one.
            path: where it is written.
            now: with a time zone.

        Raises:
            PkiError: none can be issued.
            OSError: it cannot be stored.
        """
        self._make = make
        self.path = path
        self._current = self._issue(now)

    @property
    def expires(self) -> datetime:
        """When the one that is in use now expires."""
        return self._current.certificate.not_valid_after_utc

    def renew_if_due(self, now: datetime) -> bool:
        """Make and use a new one if the time has come; return whether it had. What fails is tried again.

        Raises:
            PkiError: the issuer has expired.
            OSError: it cannot be stored or used.
        """
        if not pki.is_renewal_due(self._current.certificate, now):
            return False
        made = self._issue(now)
        self._use()
        self._current = made
        return True

    def _use(self) -> None:
        """Begin to use what is in the file."""

    def _issue(self, now: datetime) -> pki.Credential:
        made = self._make(now)
        pki.store(made, self.path)
        return made


class ServerCertificate(Leaf):
    """The server's leaf and the roots of the clients that may show a certificate, in the context of new connections.

    Open connections keep what they began with.
    """

    def __init__(self, issuer: Callable[[], pki.Credential], path: Path, now: datetime) -> None:
        """
        Args:
            issuer: what issues certificates now.
            path: where the leaf is written.
            now: with a time zone.

        Raises:
            PkiError: no leaf can be issued.
            OSError: it cannot be stored.
        """
        super().__init__(lambda moment: pki.issue_server(issuer(), moment), path, now)
        self._roots: tuple[bytes, ...] = ()
        self.context: ssl.SSLContext = tls.ssl_server_context(path)
        self._newest = self.context
        self.context.sni_callback = self._swap

    def trust(self, roots_der: Collection[bytes]) -> None:
        """Take the clients' certificates from these roots, and from no others any more.

        Raises:
            PkiError, OSError: there is no usable leaf in the file; the context is as it was.
        """
        wanted = tuple(sorted(each for each in set(roots_der) if _is_loadable(each)))
        if wanted != self._roots:
            before, self._roots = self._roots, wanted
            try:
                self._use()
            except BaseException:
                self._roots = before
                raise

    def _use(self) -> None:
        self._newest = tls.ssl_server_context(self.path, *self._roots)

    def _swap(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Give a connection the newest context. OpenSSL then takes certificate and trust store from that one."""
        connection.context = self._newest


def _is_loadable(root: bytes) -> bool:
    """Return whether OpenSSL takes a root: one that it refuses must cost its owner alone."""
    try:
        tls.ssl_client_context(root)
    except pki.PkiError as error:
        log.warning("root of a peer not usable", reason=str(error))
        return False
    return True

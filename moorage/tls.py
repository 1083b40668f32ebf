"""TLS 1.3 contexts in which nothing is trusted but root certificates that are on chain.

A session is never resumed: it would skip the certificates of the one that it resumes.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509

from moorage import pki


def ssl_server_context(path: Path, *peer_roots_der: bytes) -> ssl.SSLContext:
    """Return a server context with the credential that `pki.store` wrote. `load_cert_chain` on it renews the leaf.

    Args:
        path: of the credential.
        peer_roots_der: whose clients may show a certificate; without one a client is nobody in particular, and one
            with a certificate of any other root gets no connection.

    Raises:
        PkiError: the file is not a usable credential, or a root is malformed.
    """
    pki.load(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(path)
    _trust(context, peer_roots_der)
    return context


def ssl_client_context(*roots_der: bytes, credential: Path | None = None) -> ssl.SSLContext:
    """Return a client context that trusts the given roots alone; two are valid while a provider rotates.

    The caller passes `server_hostname=provider_name(...)`: the identity is checked, not the host of the URL.

    Args:
        credential: what `pki.store` wrote, for a client that says who it is.

    Raises:
        PkiError: there is no root, one is not a certificate in DER, or the credential is unusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if not roots_der:
        raise pki.PkiError("the provider has no root certificate")
    _trust(context, roots_der)
    if credential is not None:
        pki.load(credential)
        context.load_cert_chain(credential)
    return context


def _trust(context: ssl.SSLContext, roots_der: Iterable[bytes]) -> None:
    for der in roots_der:
        try:
            x509.load_der_x509_certificate(der)  # unlike OpenSSL it accepts exactly one, with nothing after it
            context.load_verify_locations(cadata=der)
        except (ssl.SSLError, *pki.MALFORMED) as error:
            raise pki.PkiError("the provider's root certificate is malformed") from error

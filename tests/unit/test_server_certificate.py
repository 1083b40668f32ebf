import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from moorage import pki, tls
from moorage.types import Address, ProviderNumber
from provider_agent.shell.server_certificate import ServerCertificate

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
PROVIDER = ProviderNumber(7)
NAME = pki.provider_name(PROVIDER, EXCHANGE)
NOW = datetime.now(UTC)


def presented(context: ssl.SSLContext, root: pki.Credential) -> bytes:
    """Return the certificate that a client of the context is shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.ssl_client_context(root.der).wrap_bio(to_client, to_server, server_hostname=NAME)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    certificate = client.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_h22_server_certificate__fresh__is_not_renewed(tmp_path: Path) -> None:
    root = pki.create_root(PROVIDER, EXCHANGE, NOW)
    certificate = ServerCertificate(lambda: root, tmp_path / "server.pem", NOW)

    assert not certificate.renew_if_due(NOW + timedelta(hours=15))


def test_h22_server_certificate__two_thirds_over__presents_a_new_leaf(tmp_path: Path) -> None:
    root = pki.create_root(PROVIDER, EXCHANGE, NOW - timedelta(days=1))
    certificate = ServerCertificate(lambda: root, tmp_path / "server.pem", NOW - timedelta(hours=17))
    before = presented(certificate.context, root)

    was_renewed = certificate.renew_if_due(NOW)

    assert was_renewed
    assert presented(certificate.context, root) != before
    assert pki.load(tmp_path / "server.pem").der == presented(certificate.context, root)


def test_h22_server_certificate__new_leaf_cannot_be_loaded__is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *roots: bytes) -> ssl.SSLContext:
        raise OSError("no space left")

    root = pki.create_root(PROVIDER, EXCHANGE, NOW - timedelta(days=1))
    certificate = ServerCertificate(lambda: root, tmp_path / "server.pem", NOW - timedelta(hours=17))
    expires = certificate.expires
    with monkeypatch.context() as patch:
        patch.setattr(tls, "ssl_server_context", fail)
        with pytest.raises(OSError, match="no space left"):
            certificate.renew_if_due(NOW)

    assert certificate.expires == expires
    assert certificate.renew_if_due(NOW)

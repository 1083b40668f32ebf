"""Which client certificates a new connection may show: those of the newest roots, whatever the listener began with."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from moorage import chains, pki, tls
from moorage.types import Address, ProviderNumber
from provider_agent.shell.authority import Authority, store_root
from provider_agent.shell.server_certificate import Leaf, ServerCertificate

EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
NOW = datetime.now(UTC)
ROOT = pki.create_root(ProviderNumber(7), EXCHANGE, NOW - timedelta(days=1))
NAME = pki.name_of(ROOT.certificate)
PEER, OTHER = (pki.create_root(ProviderNumber(number), EXCHANGE, NOW) for number in (8, 9))
PEER_NAME = pki.name_of(PEER.certificate)


@pytest.fixture
def server(tmp_path: Path) -> ServerCertificate:
    return ServerCertificate(lambda: ROOT, tmp_path / "server.pem", NOW)


def visit(server: ServerCertificate, credential: Path | None, name: str | None = NAME) -> str | None:
    """Return as whom the server knows a client after the handshake; raise what the server raises."""
    client_context = tls.ssl_client_context(ROOT.der, credential=credential)
    client_context.check_hostname = name is not None
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    end = server.context.wrap_bio(to_server, to_client, server_side=True)
    for each in (client, end, client, end):
        with suppress(ssl.SSLWantReadError):
            each.do_handshake()
    certificate = end.getpeercert()
    if not certificate:
        return None
    ((_, known),) = certificate["subjectAltName"]  # type: ignore[misc]
    return str(known)


def client_of(root: pki.Credential, folder: Path) -> Path:
    path = folder / "client.pem"
    pki.store(pki.issue_client(pki.create_intermediate(root, NOW), NOW), path)
    return path


def known_at(moment: datetime, credential: bytes) -> str | None:
    """Return as whom a client of PEER's is known at a time, which OpenSSL cannot be told here."""
    leaf, *above = x509.load_pem_x509_certificates(credential)
    policy = PolicyBuilder().store(Store([PEER.certificate])).time(moment)
    policy.build_client_verifier().verify(leaf, above)
    return chains.sole_name(leaf)


@pytest.mark.parametrize("name", [NAME, None], ids=["sni", "no-sni"])
def test_h20_trust__roots_change__count_for_the_next_connection(
    server: ServerCertificate, tmp_path: Path, name: str | None
) -> None:
    credential = client_of(PEER, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
        visit(server, credential, name)

    server.trust([PEER.der, OTHER.der])
    assert visit(server, credential, name) == PEER_NAME

    server.trust([OTHER.der])
    with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
        visit(server, credential, name)


def test_h20_trust__no_certificate__is_nobody_in_particular(server: ServerCertificate) -> None:
    server.trust([PEER.der])

    assert visit(server, None) is None


def test_h22_trust__leaf_is_renewed__roots_count_on(tmp_path: Path) -> None:
    server = ServerCertificate(lambda: ROOT, tmp_path / "server.pem", NOW - timedelta(hours=17))
    server.trust([PEER.der])

    assert server.renew_if_due(NOW)

    assert visit(server, client_of(PEER, tmp_path)) == PEER_NAME


def test_h21_trust__another_provider_vouches_for_a_name__is_refused(server: ServerCertificate, tmp_path: Path) -> None:
    server.trust([PEER.der, OTHER.der])
    forged = pki._issue(
        OTHER, NOW, pki._subject(PEER_NAME), [pki.x509.DNSName(PEER_NAME)], pki.ExtendedKeyUsageOID.CLIENT_AUTH
    )
    pki.store(forged, tmp_path / "client.pem")

    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        visit(server, tmp_path / "client.pem")


def test_h21_trust__servers_certificate_of_a_peer__is_refused(server: ServerCertificate, tmp_path: Path) -> None:
    server.trust([PEER.der])
    pki.store(pki.issue_server(PEER, NOW), tmp_path / "client.pem")

    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        visit(server, tmp_path / "client.pem")


def test_h21_trust__two_providers_roots_with_one_subject__neither_hides_the_other_during_a_rotation(
    server: ServerCertificate, tmp_path: Path
) -> None:
    renewed = pki.create_root(ProviderNumber(8), EXCHANGE, NOW)
    server.trust([PEER.der, renewed.der])

    for root in (PEER, renewed):
        assert visit(server, client_of(root, tmp_path)) == PEER_NAME


def test_h20_trust__root_that_openssl_refuses__costs_its_owner_alone(server: ServerCertificate, tmp_path: Path) -> None:
    server.trust([PEER.der, b"nonsense"])

    assert visit(server, client_of(PEER, tmp_path)) == PEER_NAME


def test_h20_trust__leaf_cannot_be_read__roots_count_as_soon_as_it_can(
    server: ServerCertificate, tmp_path: Path
) -> None:
    path = tmp_path / "server.pem"
    leaf = pki.load(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        server.trust([PEER.der])

    pki.store(leaf, path)
    server.trust([PEER.der])

    assert visit(server, client_of(PEER, tmp_path)) == PEER_NAME


def test_h26_trust__client_offers_tls_1_2__is_refused(server: ServerCertificate) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=ROOT.der)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    end = server.context.wrap_bio(to_server, to_client, server_side=True)
    with suppress(ssl.SSLWantReadError):
        client.wrap_bio(to_client, to_server, server_hostname=NAME).do_handshake()

    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        end.do_handshake()


def test_h22_agents__48_hours__every_connection_is_good_and_yesterdays_certificates_are_not(tmp_path: Path) -> None:
    """Two agents renew as they do; at each half hour each end's certificate is checked as of that time."""
    store_root(PEER, tmp_path / "root.pem")
    authority = Authority(tmp_path, PEER.certificate, NOW)
    (tmp_path / "root.pem").unlink()
    leaf = Leaf(lambda at: pki.issue_client(authority.issuer, at), tmp_path / "client.pem", NOW)
    first = leaf.path.read_bytes()
    renewals = 0

    for minutes in range(0, 48 * 60 + 1, 30):
        moment = NOW + timedelta(minutes=minutes)
        renewals += leaf.renew_if_due(moment)
        assert known_at(moment, leaf.path.read_bytes()) == PEER_NAME

    assert renewals == 3
    with pytest.raises(VerificationError, match="not valid at"):
        known_at(NOW + timedelta(hours=24, seconds=1), first)

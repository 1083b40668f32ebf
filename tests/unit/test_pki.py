"""The certificate matrix: who passes a real TLS handshake, in memory, under which root and name."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from moorage import pki, tls
from moorage.pki import Credential
from moorage.types import Address, ProviderNumber

EXCHANGE = Address("0xAbCdEf0123456789aBcDeF0123456789AbCdEf01")
PROVIDER = ProviderNumber(7)
NAME = "provider-7.abcdef0123456789.moorage"
OTHER_NAME = "provider-8.abcdef0123456789.moorage"
NOW = datetime.now(UTC)


@pytest.fixture
def root() -> Credential:
    return pki.create_root(PROVIDER, EXCHANGE, NOW - timedelta(days=10))


def server_of(credential: Credential, directory: Path) -> ssl.SSLContext:
    path = directory / "server.pem"
    pki.store(credential, path)
    return tls.ssl_server_context(path)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str = NAME) -> str | None:
    """Return the protocol version that both sides agree on; raise the first side's SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[0].version()


def leaf(root: Credential, name: str = NAME, **changes: object) -> Credential:
    """Return a server certificate as an attacker with the root's key might make it."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = changes.get("usage", ExtendedKeyUsageOID.SERVER_AUTH)
    issuer = root.key.public_key()
    certificate = (
        pki._builder(pki._subject(name), root.certificate.subject, key.public_key(), NOW, NOW + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=bool(changes.get("ca")), path_length=None), critical=True)
        .add_extension(pki._key_usage(is_authority=bool(changes.get("ca"))), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)  # type: ignore[list-item]
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
        .sign(root.key, SHA256())
    )
    return Credential(certificate, key)


def test_provider_name__mixed_case_address__is_lower_case() -> None:
    assert pki.provider_name(PROVIDER, EXCHANGE) == NAME


def test_h20_handshake__own_root_and_name__is_tls_1_3(root: Credential, tmp_path: Path) -> None:
    server = server_of(pki.issue_server(root, NOW), tmp_path)

    assert shake_hands(tls.ssl_client_context(root.der), server) == "TLSv1.3"


def test_h20_handshake__root_of_another_key_with_the_same_name__is_refused(root: Credential, tmp_path: Path) -> None:
    server = server_of(pki.issue_server(root, NOW), tmp_path)
    same_name = pki.create_root(PROVIDER, EXCHANGE, NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls.ssl_client_context(same_name.der), server)


def test_h20_handshake__self_signed_server__is_refused(root: Credential, tmp_path: Path) -> None:
    stranger = pki.create_root(PROVIDER, EXCHANGE, NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls.ssl_client_context(root.der), server_of(stranger, tmp_path))


def test_h20_client_context__one_root__trusts_no_other(root: Credential) -> None:
    context = tls.ssl_client_context(root.der)

    assert context.get_ca_certs(binary_form=True) == [root.der]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_h20_handshake__other_identity_expected__is_refused(root: Credential, tmp_path: Path) -> None:
    server = server_of(pki.issue_server(root, NOW), tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(tls.ssl_client_context(root.der), server, OTHER_NAME)


def test_h20_handshake__expired_leaf__is_refused(root: Credential, tmp_path: Path) -> None:
    server = server_of(pki.issue_server(root, NOW - timedelta(hours=24, seconds=5)), tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(tls.ssl_client_context(root.der), server)


def test_h21_handshake__root_signed_another_providers_name__is_refused(root: Credential, tmp_path: Path) -> None:
    server = server_of(leaf(root, OTHER_NAME), tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(tls.ssl_client_context(root.der), server, OTHER_NAME)


def test_h21_handshake__leaf_signed_by_a_leaf__is_refused(root: Credential, tmp_path: Path) -> None:
    issuer = pki.issue_server(root, NOW)
    forged = leaf(issuer)
    chained = Credential(forged.certificate, forged.key, (issuer.certificate,))

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls.ssl_client_context(root.der), server_of(chained, tmp_path))


def test_h21_handshake__two_intermediates__exceed_the_path_length(root: Credential, tmp_path: Path) -> None:
    first = leaf(root, f"one.{NAME}", ca=True)
    second = leaf(first, f"two.{NAME}", ca=True)
    end = leaf(second)
    chained = Credential(end.certificate, end.key, (second.certificate, first.certificate))

    with pytest.raises(ssl.SSLCertVerificationError, match="path length"):
        shake_hands(tls.ssl_client_context(root.der), server_of(chained, tmp_path))


def test_h22_handshake__one_intermediate__is_accepted(root: Credential, tmp_path: Path) -> None:
    intermediate = leaf(root, f"one.{NAME}", ca=True)
    end = leaf(intermediate)
    chained = Credential(end.certificate, end.key, (intermediate.certificate,))

    assert shake_hands(tls.ssl_client_context(root.der), server_of(chained, tmp_path)) == "TLSv1.3"


def test_h21_handshake__client_certificate_as_server__is_refused(root: Credential, tmp_path: Path) -> None:
    server = server_of(leaf(root, usage=ExtendedKeyUsageOID.CLIENT_AUTH), tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(tls.ssl_client_context(root.der), server)


def test_h22_handshake__two_roots_during_a_rotation__accepts_both(root: Credential, tmp_path: Path) -> None:
    new_root = pki.create_root(PROVIDER, EXCHANGE, NOW)
    client = tls.ssl_client_context(root.der, new_root.der)

    for each in (root, new_root):
        assert shake_hands(client, server_of(pki.issue_server(each, NOW), tmp_path)) == "TLSv1.3"


def test_h22_server_context__any__lets_no_session_outlive_its_certificate(root: Credential, tmp_path: Path) -> None:
    assert server_of(pki.issue_server(root, NOW), tmp_path).num_tickets == 0


def test_h22_renewal__48_hours__leaves_no_moment_without_a_valid_leaf(root: Credential) -> None:
    store = Store([root.certificate])
    current = pki.issue_server(root, NOW)
    first = current

    for minutes in range(0, 48 * 60, 30):
        moment = NOW + timedelta(minutes=minutes)
        if pki.is_renewal_due(current.certificate, moment):
            current = pki.issue_server(root, moment)
        verifier = PolicyBuilder().store(store).time(moment).build_server_verifier(x509.DNSName(NAME))
        verifier.verify(current.certificate, [])

    assert first.certificate.not_valid_after_utc < NOW + timedelta(hours=24, seconds=1)
    assert current is not first


def test_is_renewal_due__around_two_thirds__switches(root: Credential) -> None:
    certificate = pki.issue_server(root, NOW).certificate
    start = certificate.not_valid_before_utc
    life = certificate.not_valid_after_utc - start

    assert not pki.is_renewal_due(certificate, start + life * 2 / 3 - timedelta(seconds=1))
    assert pki.is_renewal_due(certificate, start + life * 2 / 3)


def test_h26_handshake__client_offers_tls_1_2__is_refused(root: Credential, tmp_path: Path) -> None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=root.der)
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION"):
        shake_hands(client, server_of(pki.issue_server(root, NOW), tmp_path))


def test_h26_handshake__server_offers_tls_1_2__is_refused(root: Credential, tmp_path: Path) -> None:
    server_of(pki.issue_server(root, NOW), tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem")
    server.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError, match="PROTOCOL"):
        shake_hands(tls.ssl_client_context(root.der), server)


def test_h27_handshake__authority_without_key_usage__is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([*pki._subject(NAME), *pki._subject("lax")])
    certificate = (
        pki._builder(subject, subject, key.public_key(), NOW, NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    lax = Credential(certificate, key)

    with pytest.raises(ssl.SSLCertVerificationError, match="key usage"):
        shake_hands(tls.ssl_client_context(lax.der), server_of(leaf(lax), tmp_path))


@pytest.mark.parametrize("behind_seconds", [-290, 0, 290])
def test_h28_handshake__clocks_up_to_five_minutes_apart__is_accepted(
    root: Credential, tmp_path: Path, behind_seconds: int
) -> None:
    server = server_of(pki.issue_server(root, NOW + timedelta(seconds=behind_seconds)), tmp_path)

    assert shake_hands(tls.ssl_client_context(root.der), server) == "TLSv1.3"


def test_h28_handshake__clock_ten_minutes_behind__is_refused(root: Credential, tmp_path: Path) -> None:
    server = server_of(pki.issue_server(root, datetime.now(UTC) + timedelta(minutes=10)), tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
        shake_hands(tls.ssl_client_context(root.der), server)


def test_create_root__any__is_small_enough_for_the_chain() -> None:
    root = pki.create_root(ProviderNumber(2**32 - 1), EXCHANGE, NOW)

    assert len(root.der) < 1024


def test_issue_server__hosts__stand_beside_the_identity(root: Credential) -> None:
    certificate = pki.issue_server(root, NOW, ["192.0.2.1", "2001:db8::1", f"a.{NAME}"]).certificate

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME, f"a.{NAME}"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]


def test_issue_server__permitted_endpoint_name__passes_a_check_of_the_host(tmp_path: Path) -> None:
    root = pki.create_root(PROVIDER, EXCHANGE, NOW, ["agent.example.org"])
    server = server_of(pki.issue_server(root, NOW, ["agent.example.org"]), tmp_path)

    assert shake_hands(tls.ssl_client_context(root.der), server, "agent.example.org") == "TLSv1.3"


def test_issue_server__endpoint_name_outside_of_the_root__is_an_error(root: Credential) -> None:
    with pytest.raises(pki.PkiError, match=r"does not permit the host name agent\.example\.org"):
        pki.issue_server(root, NOW, ["agent.example.org"])


def test_issue_server__root_ends_sooner__leaf_ends_with_it(root: Credential) -> None:
    end = root.certificate.not_valid_after_utc

    assert pki.issue_server(root, end - timedelta(hours=1)).certificate.not_valid_after_utc == end
    with pytest.raises(pki.PkiError, match="expired"):
        pki.issue_server(root, end)


def test_h22_load__stored_credential__is_the_same_and_private(root: Credential, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "root.pem"
    pki.store(root, path)

    loaded = pki.load(path)

    assert (loaded.der, loaded.key.private_numbers()) == (root.der, root.key.private_numbers())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["root.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_h22_load__others_may_read_it__is_an_error(root: Credential, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.pem"
    pki.store(root, path)
    path.chmod(mode)

    with pytest.raises(pki.PkiError, match="0600"):
        pki.load(path)


def test_load__key_of_another_certificate__is_an_error(root: Credential, tmp_path: Path) -> None:
    path = tmp_path / "root.pem"
    other = pki.create_root(PROVIDER, EXCHANGE, NOW)
    pki.store(Credential(root.certificate, other.key), path)

    with pytest.raises(pki.PkiError, match="not the certificate's"):
        pki.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"]
)
def test_load__not_a_credential__is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "root.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)

    with pytest.raises(pki.PkiError, match="no usable key"):
        pki.load(path)


def test_g26_credential__in_a_log__does_not_show_the_key(root: Credential) -> None:
    assert "key" not in repr(root).lower()


def test_client_context__malformed_roots__are_an_error(root: Credential) -> None:
    for roots in ((), (b"",), (b"x",), (root.der[:-1],), (root.der + b"x",), (root.der + root.der,)):
        with pytest.raises(pki.PkiError):
            tls.ssl_client_context(*roots)

"""Which roots may count for a provider, and which chains lead to one: each rule with a certificate that breaks it."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from moorage import chains, pki, tls
from moorage.pki import Credential
from moorage.types import Address, OrderId, ProviderNumber
from tests.unit.test_pki import leaf, server_of, shake_hands

EXCHANGE = Address("0xAbCdEf0123456789aBcDeF0123456789AbCdEf01")
PROVIDER, OTHER = ProviderNumber(7), ProviderNumber(8)
NAME, OTHER_NAME = pki.provider_name(PROVIDER, EXCHANGE), pki.provider_name(OTHER, EXCHANGE)
NOW = datetime.now(UTC)
LEASE, OTHER_LEASE = OrderId(b"\xaa" * 32), OrderId(b"\xbb" * 32)
TUNNEL = "ab" * 16
ANY = ec.generate_private_key(ec.SECP256R1())


def crafted(
    name: str = NAME,
    permitted: list[x509.GeneralName] | None = None,
    is_critical: bool = True,
    subject: x509.Name | None = None,
    is_authority: bool = True,
    signer: ec.EllipticCurvePrivateKey = ANY,
) -> bytes:
    """Return a root as somebody might register it."""
    subject = subject or pki.root_subject(name)
    builder = (
        pki._builder(subject, subject, ANY.public_key(), NOW, NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(pki._key_usage(is_authority=True), critical=True)
    )
    if permitted is not None:
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=is_critical)
    return pki.Credential(builder.sign(signer, SHA256()), signer).der


def dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


@pytest.fixture(scope="module")
def root() -> Credential:
    return pki.create_root(PROVIDER, EXCHANGE, NOW - timedelta(days=10))


@pytest.fixture(scope="module")
def intermediate(root: Credential) -> Credential:
    return pki.create_intermediate(root, NOW - timedelta(days=5))


def test_h21_check_root__as_register_makes_it__counts(root: Credential) -> None:
    assert chains.check_root(root.der, PROVIDER, EXCHANGE) == root.certificate
    with_host = pki.create_root(PROVIDER, EXCHANGE, NOW, ["agent.example.org"])
    chains.check_root(with_host.der, PROVIDER, EXCHANGE)


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (crafted(permitted=None), "no extension nameConstraints"),
        (crafted(permitted=dns(NAME), is_critical=False), "critical"),
        (crafted(permitted=[x509.RFC822Name("example.org")]), "every DNS name"),
        (crafted(permitted=dns(NAME, OTHER_NAME)), "permits"),
        (crafted(permitted=dns(NAME, OTHER_NAME.upper())), "permits"),
        (crafted(permitted=dns(NAME, f".{OTHER_NAME}")), "permits"),
        (crafted(permitted=dns(NAME, f"t1.{OTHER_NAME}")), "permits"),
        (crafted(permitted=dns(NAME, "moorage")), "permits"),
        (crafted(permitted=dns(NAME, ".moorage")), "permits"),
        (crafted(permitted=dns(NAME, NAME.partition(".")[2])), "permits"),
        (crafted(permitted=dns(NAME, "")), "permits"),
        (crafted(permitted=dns(NAME, ".")), "permits"),
        (crafted(name=OTHER_NAME, permitted=dns(NAME)), "subject"),
        (crafted(permitted=dns(NAME), subject=pki._subject(NAME)), "subject"),
        (crafted(permitted=dns(NAME), is_authority=False), "authority"),
        (crafted(permitted=dns(NAME), signer=ec.generate_private_key(ec.SECP256R1())), "signed by itself"),
        (b"", "malformed"),
        (b"x" * 100, "malformed"),
    ],
)
def test_h21_check_root__could_stand_for_another_provider__does_not_count(der: bytes, reason: str) -> None:
    with pytest.raises(pki.PkiError, match=reason):
        chains.check_root(der, PROVIDER, EXCHANGE)


def with_odd_names(builder: x509.CertificateBuilder, oid: str, names: bytes) -> Credential:
    """Return a certificate with an extension that the library has no types for."""
    value = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), names)
    return Credential(builder.add_extension(value, critical=True).sign(ANY, SHA256()), ANY)


def odd_roots() -> dict[str, bytes]:
    """Return what OpenSSL or the library reads halfway, and then gives up on."""
    der, subject = crafted(permitted=dns(NAME)), pki.root_subject(NAME)
    builder = pki._builder(subject, subject, ANY.public_key(), NOW, NOW + timedelta(days=1))
    party_name = bytes.fromhex("3008a0063004a5023000")
    return {
        "version": der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1),
        "kind of key": der.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")),
        "curve": der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")),
        "kind of name": with_odd_names(builder, "2.5.29.30", party_name).der,
    }


@pytest.mark.parametrize("what", odd_roots())
def test_h21_check_root__odd_in_a_way_of_its_own__is_refused_like_any_other(what: str, tmp_path: Path) -> None:
    der = odd_roots()[what]

    with pytest.raises(pki.PkiError):
        chains.check_root(der, PROVIDER, EXCHANGE)
    if what == "version":
        with pytest.raises(pki.PkiError):
            tls.ssl_client_context(der)


def test_h21_tunnel__certificate_has_a_kind_of_name_that_is_not_known__is_refused(root: Credential) -> None:
    subject = pki.tunnel_subject(TUNNEL, LEASE, "db")
    builder = pki._builder(subject, subject, ANY.public_key(), NOW, NOW + timedelta(days=1))
    odd = with_odd_names(builder, "2.5.29.17", bytes.fromhex("3004a5023000"))

    assert chains.sole_name(odd.certificate) is None
    with pytest.raises(pki.PkiError):
        verify(pki.encode_chain(odd), root.der)


def tunnel_chain(issuer: Credential, *, is_server: bool = True, at: datetime = NOW) -> bytes:
    return pki.encode_chain(pki.issue_tunnel(issuer, at, TUNNEL, LEASE, "db", is_server=is_server))


def verify(chain: bytes, *roots: bytes, at: datetime = NOW, **changes: object) -> x509.Certificate:
    expected = {"provider_name": NAME, "tunnel": TUNNEL, "lease": LEASE, "workload": "db", "is_server": True}
    return chains.verify_tunnel(chain, roots, at, **{**expected, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("is_server", [True, False])
def test_h21_tunnel__of_the_intermediate__is_the_other_end(
    root: Credential, intermediate: Credential, is_server: bool
) -> None:
    found = verify(tunnel_chain(intermediate, is_server=is_server), root.der, is_server=is_server)

    assert found.subject == pki.tunnel_subject(TUNNEL, LEASE, "db")
    assert chains.sole_name(found) == f"{TUNNEL}.db.{'aa' * 16}.{'aa' * 16}.{NAME}"


@pytest.mark.parametrize(
    "changes",
    [
        {"tunnel": "cd" * 16},
        {"lease": OTHER_LEASE},
        {"workload": "cache"},
        {"provider_name": OTHER_NAME},
        {"is_server": False},
    ],
    ids=["tunnel", "lease", "workload", "provider", "role"],
)
def test_h21_tunnel__another_identity_than_expected__is_refused(
    root: Credential, intermediate: Credential, changes: dict[str, object]
) -> None:
    with pytest.raises(pki.PkiError, match="not for this name and role"):
        verify(tunnel_chain(intermediate), root.der, **changes)


def test_h21_tunnel__name_is_right_and_subject_is_not__is_refused(root: Credential, intermediate: Credential) -> None:
    name = pki.tunnel_name(NAME, TUNNEL, LEASE, "db")
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    forged = pki._issue(intermediate, NOW, pki.tunnel_subject(TUNNEL, OTHER_LEASE, "db"), [x509.DNSName(name)], usage)

    with pytest.raises(pki.PkiError, match="subject"):
        verify(pki.encode_chain(forged), root.der)


def test_h20_tunnel__root_that_is_not_on_chain__is_refused(root: Credential) -> None:
    same_name = pki.create_root(PROVIDER, EXCHANGE, NOW - timedelta(days=10))
    chain = tunnel_chain(pki.create_intermediate(same_name, NOW))

    with pytest.raises(pki.PkiError, match="does not lead to a root"):
        verify(chain, root.der)
    with pytest.raises(pki.PkiError, match="not for this name"):
        verify(chain)


def test_h20_tunnel__chain_brings_its_own_root__is_refused(root: Credential) -> None:
    same_name = pki.create_root(PROVIDER, EXCHANGE, NOW - timedelta(days=10))
    chain = tunnel_chain(pki.create_intermediate(same_name, NOW))
    brought = chain + pki.encode_chain(same_name)

    with pytest.raises(pki.PkiError, match="does not lead to a root"):
        verify(brought, root.der)


def test_h21_tunnel__another_provider_vouches_for_our_name__is_refused() -> None:
    other = pki.create_root(OTHER, EXCHANGE, NOW - timedelta(days=10))
    name = pki.tunnel_name(NAME, TUNNEL, LEASE, "db")
    forged = pki._issue(
        pki.create_intermediate(other, NOW),
        NOW,
        pki.tunnel_subject(TUNNEL, LEASE, "db"),
        [x509.DNSName(name)],
        ExtendedKeyUsageOID.SERVER_AUTH,
    )

    with pytest.raises(pki.PkiError, match="does not lead to a root"):
        verify(pki.encode_chain(forged), other.der)


def test_h21_tunnel__intermediate_below_the_intermediate__is_refused(
    root: Credential, intermediate: Credential
) -> None:
    below = pki.create_intermediate(intermediate, NOW)
    below = Credential(below.certificate, below.key, (intermediate.certificate,))

    with pytest.raises(pki.PkiError, match="does not lead to a root"):
        verify(tunnel_chain(below), root.der)


@pytest.mark.parametrize("late", [timedelta(hours=24, seconds=1), timedelta(minutes=-6)], ids=["expired", "early"])
def test_h22_tunnel__not_in_its_time__is_refused(root: Credential, intermediate: Credential, late: timedelta) -> None:
    chain = tunnel_chain(intermediate)

    with pytest.raises(pki.PkiError, match="not valid at"):
        verify(chain, root.der, at=NOW + late)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_h28_tunnel__clocks_differ_by_five_minutes__is_accepted(
    root: Credential, intermediate: Credential, minutes: int
) -> None:
    chain = tunnel_chain(intermediate, at=NOW + timedelta(minutes=minutes))

    assert verify(chain, root.der, at=NOW)


def test_h22_tunnel__two_roots_during_a_rotation__both_count(root: Credential, intermediate: Credential) -> None:
    renewed = pki.create_root(PROVIDER, EXCHANGE, NOW)
    for issuer in (intermediate, pki.create_intermediate(renewed, NOW)):
        assert verify(tunnel_chain(issuer), root.der, renewed.der)


def test_h27_tunnel__intermediate_without_key_usage__is_refused(root: Credential) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = pki._subject("lax")
    certificate = (
        pki._builder(subject, root.certificate.subject, key.public_key(), NOW, NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(dns(NAME), None), critical=True)
        .add_extension(pki._authority_key(root), critical=False)
        .sign(root.key, SHA256())
    )
    lax = Credential(certificate, key)

    issued = pki._issue(
        lax,
        NOW,
        pki.tunnel_subject(TUNNEL, LEASE, "db"),
        dns(pki.tunnel_name(NAME, TUNNEL, LEASE, "db")),
        ExtendedKeyUsageOID.SERVER_AUTH,
    )
    with pytest.raises(pki.PkiError, match="does not lead to a root"):
        verify(pki.encode_chain(issued), root.der)


@pytest.mark.parametrize("chain", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
def test_h21_tunnel__no_certificates__is_refused(root: Credential, chain: bytes) -> None:
    with pytest.raises(pki.PkiError, match="malformed"):
        verify(chain, root.der)


def test_h16_tunnel__endless_chain__is_not_parsed(root: Credential, intermediate: Credential) -> None:
    with pytest.raises(pki.PkiError, match="too long"):
        verify(tunnel_chain(intermediate) * 20, root.der)


def test_h21_agent__client_certificate__is_known_by_its_sole_name(intermediate: Credential) -> None:
    client = pki.issue_client(intermediate, NOW)

    assert chains.sole_name(client.certificate) == NAME
    with_host = pki.create_root(PROVIDER, EXCHANGE, NOW, ["agent.example.org"])
    several = pki.issue_server(with_host, NOW, ["agent.example.org"]).certificate
    assert chains.sole_name(several) is None


Make = Callable[[Credential], Credential]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda issuer: pki.issue_server(issuer, NOW), None),
        (lambda issuer: pki.issue_client(issuer, NOW), "purpose"),
        (lambda issuer: leaf(issuer, OTHER_NAME), "subtree"),
        (lambda issuer: pki.issue_server(pki.create_intermediate(issuer, NOW), NOW), "path length|local issuer"),
    ],
    ids=["server", "client", "other-provider", "two-intermediates"],
)
def test_h21_handshake__leaf_of_the_intermediate__is_bound_like_one_of_the_root(
    root: Credential, intermediate: Credential, tmp_path: Path, make: Make, reason: str | None
) -> None:
    issued = make(intermediate)
    chain = {each.serial_number: each for each in (*issued.intermediates, intermediate.certificate)}
    credential = Credential(issued.certificate, issued.key, tuple(chain.values()))
    name = OTHER_NAME if reason == "subtree" else NAME
    client, server = tls.ssl_client_context(root.der), server_of(credential, tmp_path)

    if reason is None:
        assert shake_hands(client, server, name) == "TLSv1.3"
        return
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake_hands(client, server, name)

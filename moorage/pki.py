"""A provider's certificates: the root that goes on chain, the intermediate that is online, short-lived leaves under it.

The profile is RFC 5280 as OpenSSL checks it with X509_STRICT; moorage.chains checks what others made.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.private_file import is_private, write_private
from moorage.types import Address, OrderId, ProviderNumber

ROOT_LIFE = timedelta(days=3650)
INTERMEDIATE_LIFE = timedelta(days=365)
LEAF_LIFE = timedelta(hours=24)
CLOCK_SKEW = timedelta(minutes=5)
"""How much earlier than now a certificate begins to be valid, for peers whose clock is behind."""
ROOT_ORGANISATION = "Moorage"
"""Parts the root's subject from its leaves': a leaf that were named like its issuer would count as self-issued."""
ROOT_PATH_LENGTH = 1
"""Room for one intermediate between root and leaf, so that the root's key can go offline."""
INTERMEDIATE_UNIT = "intermediate"
"""Parts the intermediate's subject from the root's."""


MALFORMED = (
    *(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.ExtensionNotFound, x509.UnsupportedGeneralNameType),
)
"""What reading a stranger's certificate can raise; they have no other base in common than Exception."""


class PkiError(Exception):
    """A certificate or key that cannot be used as asked. Trying again does not help."""


class UnusableFileError(PkiError):
    """A file does not hold what it is for."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its private key and the intermediates that a peer needs to reach the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as it goes on chain."""
        return der_of(self.certificate)


def der_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate as it goes on chain."""
    return certificate.public_bytes(Encoding.DER)


def provider_name(provider: ProviderNumber, exchange: Address) -> str:
    """Return the DNS name that is a provider's identity; it says who, not where, and is never resolved."""
    return f"provider-{provider}.{exchange.removeprefix('0x')[:16].lower()}.moorage"


def create_root(
    provider: ProviderNumber, exchange: Address, now: datetime, host_names: Sequence[str] = ()
) -> Credential:
    """Create a root that can vouch for one provider's name and the names below it, and for nobody else's.

    Args:
        now: with a time zone.
        host_names: DNS names of the endpoint that leaves may carry too, for tools that check the host.
    """
    name = provider_name(provider, exchange)
    key = ec.generate_private_key(ec.SECP256R1())
    permitted = [x509.DNSName(permitted_name) for permitted_name in (name, *host_names)]
    constraints = x509.NameConstraints(permitted, None)
    subject = root_subject(name)
    builder = _authority(subject, subject, key, now, now + ROOT_LIFE, ROOT_PATH_LENGTH, constraints)
    return Credential(builder.sign(key, SHA256()), key)


def root_subject(name: str) -> x509.Name:
    """Return the subject that the root of the provider of this name has; no other provider's may have it."""
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ROOT_ORGANISATION), *_subject(name)])


def create_intermediate(root: Credential, now: datetime) -> Credential:
    """Create an authority below a root, bound to the same names, that issues leaves while the root's key is away.

    Args:
        now: with a time zone.

    Raises:
        PkiError: the root has expired.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = name_of(root.certificate)
    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, INTERMEDIATE_UNIT)
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ROOT_ORGANISATION), unit, *_subject(name)])
    end = _end(root, now, INTERMEDIATE_LIFE)
    constraints = root.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    builder = _authority(subject, root.certificate.subject, key, now, end, 0, constraints)
    builder = builder.add_extension(_authority_key(root), critical=False)
    return Credential(builder.sign(root.key, SHA256()), key)


def issue_server(issuer: Credential, now: datetime, hosts: Sequence[str] = ()) -> Credential:
    """Issue a server certificate for the provider that the issuer names, good for 24 hours.

    Args:
        issuer: an intermediate, or a root.
        now: with a time zone.
        hosts: IP addresses and DNS names of the endpoint, beside the identity.

    Raises:
        PkiError: the issuer has expired, or does not permit a DNS name among the hosts.
    """
    name = name_of(issuer.certificate)
    alternatives = [x509.DNSName(name), *(_alternative(issuer.certificate, host) for host in hosts)]
    return _issue(issuer, now, _subject(name), alternatives, ExtendedKeyUsageOID.SERVER_AUTH)


def issue_client(issuer: Credential, now: datetime) -> Credential:
    """Issue the certificate by which a provider's agent says to another one who it is, good for 24 hours.

    Raises:
        PkiError: the issuer has expired.
    """
    name = name_of(issuer.certificate)
    return _issue(issuer, now, _subject(name), [x509.DNSName(name)], ExtendedKeyUsageOID.CLIENT_AUTH)


def issue_tunnel(
    issuer: Credential, now: datetime, tunnel: str, lease: OrderId, workload: str, *, is_server: bool
) -> Credential:
    """Issue the certificate of one end of a tunnel, good for 24 hours.

    Its subject says what the other end compares: O the tunnel, OU the lease (64 hex), CN the workload; the lease and
    workload are those of this end.

    Args:
        tunnel: its id, 32 hex.
        is_server: whether this end accepts the connections; else it makes them.

    Raises:
        PkiError: the issuer has expired.
    """
    name = tunnel_name(name_of(issuer.certificate), tunnel, lease, workload)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
    return _issue(issuer, now, tunnel_subject(tunnel, lease, workload), [x509.DNSName(name)], usage)


def tunnel_subject(tunnel: str, lease: OrderId, workload: str) -> x509.Name:
    """Return the subject of the certificate of one end of a tunnel, see `issue_tunnel`."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, tunnel),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, lease.hex()),
            x509.NameAttribute(NameOID.COMMON_NAME, workload),
        ]
    )


def tunnel_name(provider: str, tunnel: str, lease: OrderId, workload: str) -> str:
    """Return the DNS name of one end of a tunnel; it is below the provider's name, so that its root permits it.

    Args:
        provider: what `provider_name` returns.
        tunnel: its id, 32 hex.
        lease: of this end.
        workload: of this end.
    """
    return f"{tunnel}.{workload}.{lease.hex()[:32]}.{lease.hex()[32:]}.{provider}"


def name_of(certificate: x509.Certificate) -> str:
    """Return the provider's identity that an authority, or the leaf of an agent, was made for.

    Raises:
        PkiError: it names nobody.
    """
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not names:
        raise PkiError("the certificate names nobody: it is none of Moorage's")
    return str(names[0].value)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether a certificate names another one as its issuer and has its signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except MALFORMED:
        return False
    return True


def is_renewal_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether two thirds of the certificate's life are over."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= start + (end - start) * 2 / 3


def encode(credential: Credential) -> bytes:
    """Return key, certificate and intermediates as one PEM text; it is secret."""
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key + encode_chain(credential)


def encode_chain(credential: Credential) -> bytes:
    """Return certificate and intermediates as one PEM text, which anybody may see."""
    certificates = (credential.certificate, *credential.intermediates)
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def store(credential: Credential, path: Path) -> None:
    """Write key, certificate and intermediates to one PEM file of mode 0600, so that they never disagree.

    Raises:
        OSError: the file cannot be written.
    """
    write_private(path, encode(credential))


def load(path: Path) -> Credential:
    """Read what `store` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        PkiError: others may read the file, or its content is not a P-256 key with its certificate.
    """
    if not is_private(path):
        raise PkiError(f"{path} may be read by others; its mode must be 0600")
    data = path.read_bytes()
    try:
        key = load_pem_private_key(data, password=None)
        certificate, *intermediates = x509.load_pem_x509_certificates(data)
    except (ValueError, TypeError) as error:
        raise UnusableFileError(f"{path} holds no usable key and certificate") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise UnusableFileError(f"{path} holds a key that is not the certificate's")
    return Credential(certificate, key, tuple(intermediates))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    end: datetime,
    path_length: int,
    constraints: x509.NameConstraints,
) -> x509.CertificateBuilder:
    return (
        _builder(subject, issuer, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(constraints, critical=True)
    )


def _issue(
    issuer: Credential,
    now: datetime,
    subject: x509.Name,
    alternatives: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    end = _end(issuer, now, LEAF_LIFE)
    builder = (
        _builder(subject, issuer.certificate.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_authority_key(issuer), critical=False)
    )
    is_root = issuer.certificate.subject == issuer.certificate.issuer
    above = issuer.intermediates if is_root else (issuer.certificate, *issuer.intermediates)
    return Credential(builder.sign(issuer.key, SHA256()), key, above)


def _end(issuer: Credential, now: datetime, life: timedelta) -> datetime:
    end = min(now + life, issuer.certificate.not_valid_after_utc)
    if end <= now:
        raise PkiError(f"the authority of {name_of(issuer.certificate)} that would issue it has expired")
    return end


def _authority_key(issuer: Credential) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(issuer: x509.Certificate, host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    constraints = issuer.extensions.get_extension_for_class(x509.NameConstraints).value
    for permitted in constraints.permitted_subtrees or ():
        if host == permitted.value or host.endswith(f".{permitted.value}"):
            return x509.DNSName(host)
    raise PkiError(f"the root certificate does not permit the host name {host}")

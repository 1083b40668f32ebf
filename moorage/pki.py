"""A provider's certificates: the root that goes on chain, and the short-lived server leaves under it.

The profile is RFC 5280 as OpenSSL checks it with X509_STRICT; TLS 1.3 only; nothing is trusted but the root on chain.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
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
from moorage.types import Address, ProviderNumber

ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(hours=24)
CLOCK_SKEW = timedelta(minutes=5)
"""How much earlier than now a certificate begins to be valid, for peers whose clock is behind."""
ROOT_ORGANISATION = "Moorage"
"""Parts the root's subject from its leaves': a leaf that were named like its issuer would count as self-issued."""
ROOT_PATH_LENGTH = 1
"""Room for one intermediate between root and leaf, so that the root's key can go offline."""


class PkiError(Exception):
    """A certificate or key that cannot be used as asked. Trying again does not help."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its private key and the intermediates that a peer needs to reach the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as it goes on chain."""
        return self.certificate.public_bytes(Encoding.DER)


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
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ROOT_ORGANISATION), *_subject(name)])
    builder = (
        _builder(subject, subject, key.public_key(), now, now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=ROOT_PATH_LENGTH), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return Credential(builder.sign(key, SHA256()), key)


def issue_server(root: Credential, now: datetime, hosts: Sequence[str] = ()) -> Credential:
    """Issue a server certificate for the provider that the root names, good for 24 hours.

    Args:
        now: with a time zone.
        hosts: IP addresses and DNS names of the endpoint, beside the identity.

    Raises:
        PkiError: the root has no day left, or does not permit a DNS name among the hosts.
    """
    name = name_of(root.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    end = min(now + LEAF_LIFE, root.certificate.not_valid_after_utc)
    if end <= now:
        raise PkiError(f"the root certificate of {name} has expired")
    alternatives = [x509.DNSName(name), *(_alternative(root.certificate, host) for host in hosts)]
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
    builder = (
        _builder(_subject(name), root.certificate.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(authority, critical=False)
    )
    return Credential(builder.sign(root.key, SHA256()), key, root.intermediates)


def name_of(certificate: x509.Certificate) -> str:
    """Return the provider's identity that a root or leaf of ours was made for."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def is_renewal_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether two thirds of the certificate's life are over."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= start + (end - start) * 2 / 3


def store(credential: Credential, path: Path) -> None:
    """Write key, certificate and intermediates to one PEM file of mode 0600, so that they never disagree.

    Raises:
        OSError: the file cannot be written.
    """
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificates = (credential.certificate, *credential.intermediates)
    write_private(path, key + b"".join(each.public_bytes(Encoding.PEM) for each in certificates))


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
        raise PkiError(f"{path} holds no usable key and certificate") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise PkiError(f"{path} holds a key that is not the certificate's")
    return Credential(certificate, key, tuple(intermediates))


def ssl_server_context(path: Path) -> ssl.SSLContext:
    """Return a TLS 1.3 server context with the credential that `store` wrote. `load_cert_chain` on it renews the leaf.

    Raises:
        PkiError: the file is not a usable credential.
    """
    load(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # a resumed session would skip the certificate that was renewed meanwhile
    context.load_cert_chain(path)
    return context


def ssl_client_context(*roots_der: bytes) -> ssl.SSLContext:
    """Return a TLS 1.3 client context that trusts the given roots alone; two are valid while a provider rotates.

    The caller passes `server_hostname=provider_name(...)`: the identity is checked, not the host of the URL.

    Raises:
        PkiError: there is no root, or one is not a certificate in DER.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if not roots_der:
        raise PkiError("the provider has no root certificate")
    for der in roots_der:
        try:
            x509.load_der_x509_certificate(der)  # unlike OpenSSL it accepts exactly one, with nothing after it
            context.load_verify_locations(cadata=der)
        except (ssl.SSLError, ValueError) as error:
            raise PkiError("the provider's root certificate is malformed") from error
    return context


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


def _alternative(root: x509.Certificate, host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints).value
    for permitted in constraints.permitted_subtrees or ():
        if host == permitted.value or host.endswith(f".{permitted.value}"):
            return x509.DNSName(host)
    raise PkiError(f"the root certificate does not permit the host name {host}")

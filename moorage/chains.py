"""Checks certificates that other providers made: which roots may count at all, and whether a chain leads to one.

Trust comes from the registry alone. A root counts for one provider's names, never for another's, whoever it says it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from moorage import pki
from moorage.types import Address, OrderId, ProviderNumber

MAX_CHAIN_BYTES = 16_384
MAX_CHAIN_LENGTH = 3
"""A leaf and an intermediate; one more is room for a root that is sent along."""
_LAST_LABEL = "moorage"
"""Of every provider's name, see pki.provider_name."""


def check_root(der: bytes, provider: ProviderNumber, exchange: Address) -> x509.Certificate:
    """Return a root certificate that can vouch for no provider but this one.

    In a store with the roots of several providers a root must neither permit another's names nor be named like
    another's root, which could then not be found.

    Raises:
        PkiError: it could, or it is no root; the message says why.
    """
    try:
        root = x509.load_der_x509_certificate(der)
        root.verify_directly_issued_by(root)
        constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
        is_authority = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound as error:
        raise pki.PkiError(f"the root certificate has no extension {error.oid._name}") from error
    except pki.MALFORMED as error:
        raise pki.PkiError("the root certificate is malformed or not signed by itself") from error
    name = pki.provider_name(provider, exchange)
    if root.subject != pki.root_subject(name):
        raise pki.PkiError(f"the root certificate does not have the subject of {name}")
    if not is_authority or not constraints.critical:
        raise pki.PkiError("the root certificate is not an authority with critical name constraints")
    permitted = [each.value for each in constraints.value.permitted_subtrees or () if isinstance(each, x509.DNSName)]
    if not permitted:
        raise pki.PkiError("the root certificate permits every DNS name")
    for each in permitted:
        if _is_foreign(each, name):
            raise pki.PkiError(f"the root certificate permits {each!r}, which is not {name}'s")
    return root


def verify_tunnel(
    chain_pem: bytes,
    roots_der: Sequence[bytes],
    now: datetime,
    *,
    provider_name: str,
    tunnel: str,
    lease: OrderId,
    workload: str,
    is_server: bool,
) -> x509.Certificate:
    """Return the certificate of a tunnel's other end once it is known to be just that, and good now.

    Args:
        chain_pem: leaf first, then intermediates, as `pki.encode_chain` writes them.
        roots_der: of the other end's provider, on chain at a final block, each checked by `check_root`.
        now: with a time zone.
        provider_name: whose end it is.
        tunnel: its id, 32 hex.
        lease: of that end.
        workload: of that end.
        is_server: whether that end accepts the connections.

    Raises:
        PkiError: it is another's, expired, not yet valid, or does not lead to a root.
    """
    name = pki.tunnel_name(provider_name, tunnel, lease, workload)
    leaf = _verify(chain_pem, roots_der, name, now, is_server=is_server)
    if leaf.subject != pki.tunnel_subject(tunnel, lease, workload):
        raise pki.PkiError("the certificate's subject is not the tunnel's")
    return leaf


def sole_name(leaf: x509.Certificate) -> str | None:
    """Return the one name that a leaf is for; None if it has none or several."""
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except pki.MALFORMED:
        return None
    return names[0].value if len(names) == 1 and isinstance(names[0], x509.DNSName) else None


def _verify(
    chain_pem: bytes, roots_der: Sequence[bytes], name: str, now: datetime, *, is_server: bool
) -> x509.Certificate:
    if len(chain_pem) > MAX_CHAIN_BYTES:
        raise pki.PkiError("the certificate chain is too long")
    usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
    try:
        leaf, *intermediates = x509.load_pem_x509_certificates(chain_pem)
        roots = [x509.load_der_x509_certificate(der) for der in roots_der]
        usages = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        if len(intermediates) >= MAX_CHAIN_LENGTH or not roots or usages != [usage] or sole_name(leaf) != name:
            raise pki.PkiError("the certificate is not for this name and role")
        policy = PolicyBuilder().store(Store(roots)).time(now).max_chain_depth(1)
        if is_server:
            policy.build_server_verifier(x509.DNSName(name)).verify(leaf, intermediates)
        else:
            policy.build_client_verifier().verify(leaf, intermediates)
    except VerificationError as error:
        raise pki.PkiError(f"the certificate does not lead to a root on chain: {error}") from error
    except pki.MALFORMED as error:
        raise pki.PkiError("the certificate chain is malformed") from error
    return leaf


def _is_foreign(permitted: str, name: str) -> bool:
    """Return whether a permitted subtree reaches a provider's name other than the one given."""
    subtree = permitted.removeprefix(".").rstrip(".").lower()
    if subtree == name or subtree.endswith(f".{name}"):
        return False
    return subtree == "" or subtree.rpartition(".")[2] == _LAST_LABEL

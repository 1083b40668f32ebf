"""Requests that a tenant signs with its wallet (EIP-712) and a provider's agent verifies.

A signature is good for one action on one lease at one provider of one exchange, once, for at most 15 minutes.
Whatever a stranger may send ends as a `Rejected`, never as an exception.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, fields
from enum import StrEnum

import msgspec
from eth_account import Account
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from moorage.typed_data import TypedData, TypedDataSigner
from moorage.types import Address, OrderId, ProviderNumber

SCHEME = "Moorage"
MAX_LIFE_SECONDS = 900
SKEW_SECONDS = 30
"""How far the clocks of tenant and provider may be apart."""
MAX_HEADER_BYTES = 2048

_FIELD_TYPES = {
    "purpose": "string",
    "provider": "uint256",
    "lease": "bytes32",
    "method": "string",
    "path": "string",
    "bodySha256": "bytes32",
    "nonce": "bytes32",
    "expires": "uint64",
}
_TYPES = {"ProviderRequest": [{"name": name, "type": type_} for name, type_ in _FIELD_TYPES.items()]}
_BASE64 = re.compile(r"[A-Za-z0-9_-]+")
_HEX_32 = re.compile(r"0x[0-9a-f]{64}")
_HEX_65 = re.compile(r"0x[0-9a-f]{130}")
_CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


class Reason(StrEnum):
    """Why a signed request is refused, in words for its sender."""

    MISSING = "the request is not signed"
    MALFORMED = "the authorization header is malformed"
    OTHER_PURPOSE = "the signature is for another purpose"
    OTHER_PROVIDER = "the signature is for another provider"
    OTHER_LEASE = "the signature is for another lease"
    OTHER_METHOD = "the signature is for another method"
    OTHER_PATH = "the signature is for another path"
    OTHER_BODY = "the signature is for another body"
    EXPIRED = "the signature has expired"
    TOO_LONG = "the signature expires more than 15 minutes from now"
    BAD_SIGNATURE = "the signature is not valid"
    USED = "the signature was already used"
    TOO_MANY = "too many signatures are in use; wait until they expire"


@dataclass(frozen=True, slots=True)
class Rejected:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Domain:
    """What parts one market from all others in a signature."""

    chain_id: int
    exchange: Address


@dataclass(frozen=True, slots=True)
class Action:
    """What a request does: the tenant signs it, and the agent knows it from the route it was sent to."""

    purpose: str
    """A sentence that a wallet shows to its owner."""
    provider: ProviderNumber
    lease: OrderId
    method: str
    path: str
    """As in the request line, with the query."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request whose signature holds. That the signer may do it is for the caller to decide."""

    signer: Address
    body_sha256: bytes
    nonce: bytes
    expires_seconds: int
    """Unix time."""

    def check_body(self, body: bytes) -> Rejected | None:
        """Return why the body is not the one that was signed, if so."""
        return None if hashlib.sha256(body).digest() == self.body_sha256 else Rejected(Reason.OTHER_BODY)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The JSON inside of the header."""

    purpose: str
    provider: int
    lease: str
    method: str
    path: str
    body_sha256: str
    nonce: str
    expires: int
    signature: str


async def sign(action: Action, body: bytes, expires_seconds: int, domain: Domain, signer: TypedDataSigner) -> str:
    """Return the Authorization header for one request, with a fresh nonce.

    Args:
        expires_seconds: Unix time, at most 15 minutes from now.

    Raises:
        ChainError: a signer elsewhere refuses, or does not answer.
    """
    message: dict[str, object] = {
        "purpose": action.purpose,
        "provider": action.provider,
        "lease": _hex(action.lease),
        "method": action.method,
        "path": action.path,
        "bodySha256": _hex(hashlib.sha256(body).digest()),
        "nonce": _hex(secrets.token_bytes(32)),
        "expires": expires_seconds,
    }
    signature = await signer.sign_typed_data(_typed_data(message, domain))
    data = msgspec.json.encode({**message, "signature": _hex(signature)})
    return f"{SCHEME} {urlsafe_b64encode(data).decode().rstrip('=')}"


def verify(header: str | None, expected: Action, domain: Domain, now_seconds: int) -> SignedRequest | Rejected:
    """Verify everything about a request but its body and that it is new; the cheap checks come first.

    Args:
        now_seconds: Unix time.
    """
    envelope = _decode(header)
    if isinstance(envelope, Rejected):
        return envelope
    mismatch = _mismatch(envelope, expected) or _untimely(envelope, now_seconds)
    if mismatch is not None:
        return Rejected(mismatch)
    signer = _recover(envelope, domain)
    if signer is None:
        return Rejected(Reason.BAD_SIGNATURE)
    return SignedRequest(signer, _bytes(envelope.body_sha256), _bytes(envelope.nonce), envelope.expires)


class NonceStore:
    """Remembers used nonces until their signatures expire, a bounded number for each signer and in all.

    It fails closed: when it is full, requests are rejected until old ones expire. It starts empty after a restart.
    """

    def __init__(self, max_per_signer: int = 1_000, max_total: int = 50_000) -> None:
        self._max_per_signer = max_per_signer
        self._max_total = max_total
        self._total = 0
        self._next_sweep_seconds = 0
        self._signer_to_nonces: dict[Address, dict[bytes, int]] = {}

    def use(self, request: SignedRequest, now_seconds: int) -> Rejected | None:
        """Mark the nonce as used, or return why it may not be. Only for signers that are already authorised."""
        if now_seconds >= self._next_sweep_seconds:
            self._sweep(now_seconds)
        nonces = self._signer_to_nonces.get(request.signer, {})
        if request.nonce in nonces:
            return Rejected(Reason.USED)
        if len(nonces) >= self._max_per_signer or self._total >= self._max_total:
            return Rejected(Reason.TOO_MANY)
        nonces[request.nonce] = request.expires_seconds + SKEW_SECONDS
        self._signer_to_nonces[request.signer] = nonces
        self._total += 1
        return None

    def _sweep(self, now_seconds: int) -> None:
        live = {
            signer: {nonce: until for nonce, until in nonces.items() if until >= now_seconds}
            for signer, nonces in self._signer_to_nonces.items()
        }
        self._signer_to_nonces = {signer: nonces for signer, nonces in live.items() if nonces}
        self._total = sum(map(len, live.values()))
        self._next_sweep_seconds = now_seconds + SKEW_SECONDS


def _decode(header: str | None) -> _Envelope | Rejected:
    if header is None:
        return Rejected(Reason.MISSING)
    scheme, _, encoded = header.partition(" ")
    is_ours = len(header) <= MAX_HEADER_BYTES and scheme.lower() == SCHEME.lower()
    if not is_ours or not _BASE64.fullmatch(encoded):
        return Rejected(Reason.MALFORMED)
    try:
        data = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        envelope = msgspec.json.decode(data, type=_Envelope)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return Rejected(Reason.MALFORMED)
    words = (envelope.lease, envelope.body_sha256, envelope.nonce)
    if not all(map(_HEX_32.fullmatch, words)) or not _HEX_65.fullmatch(envelope.signature):
        return Rejected(Reason.MALFORMED)
    return envelope


def _mismatch(envelope: _Envelope, expected: Action) -> Reason | None:
    claimed = Action(
        purpose=envelope.purpose,
        provider=ProviderNumber(envelope.provider),
        lease=OrderId(_bytes(envelope.lease)),
        method=envelope.method,
        path=envelope.path,
    )
    for field in fields(Action):
        if getattr(claimed, field.name) != getattr(expected, field.name):
            return Reason[f"OTHER_{field.name.upper()}"]
    return None


def _untimely(envelope: _Envelope, now_seconds: int) -> Reason | None:
    if now_seconds > envelope.expires + SKEW_SECONDS:
        return Reason.EXPIRED
    if envelope.expires > now_seconds + MAX_LIFE_SECONDS + SKEW_SECONDS:
        return Reason.TOO_LONG
    return None


def _recover(envelope: _Envelope, domain: Domain) -> Address | None:
    """Return the signer, or None for a signature outside of its one canonical form (low s, v of 27 or 28: EIP-2)."""
    signature = _bytes(envelope.signature)
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if not (0 < r < _CURVE_ORDER and 0 < s <= _CURVE_ORDER // 2 and signature[64] in (27, 28)):
        return None
    message = msgspec.to_builtins(envelope)
    del message["signature"]
    try:
        return Address(Account.recover_message(_typed_data(message, domain).signable, signature=signature))
    except (BadSignature, ValidationError):
        return None


def _typed_data(message: dict[str, object], domain: Domain) -> TypedData:
    domain_data = {
        "name": "Moorage",
        "version": "1",
        "chainId": domain.chain_id,
        "verifyingContract": domain.exchange,
    }
    return TypedData(domain_data, _TYPES, "ProviderRequest", message)


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])

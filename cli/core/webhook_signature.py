"""Signs webhooks as the Standard Webhooks specification 1.0 has it: version 1, HMAC with SHA-256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
SHORTEST_KEY_BYTES = 24
LONGEST_KEY_BYTES = 64


class NoSecret(ValueError):
    """What is given as secret is none; the message says how to make one, and shows nothing of it."""


def key_of(secret: str) -> bytes:
    """Return the key in a secret.

    Raises:
        NoSecret: it is not `whsec_` and 24 to 64 bytes in base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not SHORTEST_KEY_BYTES <= len(key) <= LONGEST_KEY_BYTES:
        raise NoSecret(
            f"the secret is not {PREFIX} and {SHORTEST_KEY_BYTES} to {LONGEST_KEY_BYTES} bytes in base64: make one "
            f'with `echo "{PREFIX}$(openssl rand -base64 32)"`'
        )
    return key


def new_secret(key: bytes) -> str:
    """Return a key as a secret is written."""
    return f"{PREFIX}{base64.b64encode(key).decode()}"


def headers(identity: str, unix_seconds: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """Return the headers that say what a request is, and with a key prove who has made it.

    Args:
        identity: of the message, the same each time that it is sent.
        unix_seconds: of this attempt; the receiver refuses old ones.
    """
    named = {"webhook-id": identity, "webhook-timestamp": str(unix_seconds)}
    if key is None:
        return named
    signed = b".".join([identity.encode(), str(unix_seconds).encode(), body])
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {**named, "webhook-signature": f"v1,{signature}"}

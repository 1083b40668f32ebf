"""Requests of a tenant whose key is at hand: signed at once, where the program would wait for a signer elsewhere."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from moorage import request_auth
from moorage.chain.signer import LocalSigner
from moorage.request_auth import Action, Domain


def sign(action: Action, body: bytes, expires_seconds: int, domain: Domain, account: LocalAccount) -> str:
    """Return the header that `moorage.request_auth.sign` makes with a key in this process."""
    signing = request_auth.sign(action, body, expires_seconds, domain, LocalSigner(account))
    try:
        signing.send(None)  # it waits for nothing
    except StopIteration as finished:
        return str(finished.value)
    raise AssertionError("a key in this process has to sign at once")

"""Checks of the key that a daemon sends with, wherever it is: in a file, or behind a remote signer."""

from __future__ import annotations

from importlib.util import find_spec

from moorage.chain.remote_signer import held_accounts
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.doctor.finding import Finding, failure, ok, warning
from moorage.doctor.host import check_key
from moorage.sending import REMEDY, Sending
from moorage.types import Address

LIBRARY = "coincurve"


async def check_sending(sending: Sending | None, owner: str) -> tuple[Address | None, list[Finding]]:
    """Look at a key; return its address, None if it can't be used, and what was found."""
    if sending is None or sending.signer_url is None:
        path, password = (None, None) if sending is None else (sending.key_file, sending.password_file)
        address, findings = check_key(path, password, owner)
        return address, [*findings, *(check_library() if path is not None else [])]
    assert sending.signer_address is not None
    async with Rpc(sending.signer_url) as rpc:
        return sending.signer_address, [await _check_signer(rpc, sending.signer_address)]


def check_library() -> list[Finding]:
    """See that signatures are made by the library in C."""
    if find_spec(LIBRARY) is not None:
        return []
    what = f"{LIBRARY} is missing: every signature takes a hundred times as long and leaks its timing"
    return [warning("key", what, f"pip install {LIBRARY}")]


async def _check_signer(rpc: Rpc, address: Address) -> Finding:
    where = f"signer {rpc.name}"
    try:
        held = await held_accounts(rpc)
    except NodeUnavailable as error:
        return failure(where, str(error), "start the signer, or correct signer in [sending]")
    if held is None:
        return warning(where, f"it does not tell whether it has the key of {address}", "see in its own settings")
    if address not in held:
        return failure(where, f"it does not have the key of {address}", REMEDY)
    return ok(where, f"it has the key of {address}")

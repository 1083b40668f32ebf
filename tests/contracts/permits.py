"""Signatures of EIP-2612 permits."""

from __future__ import annotations

from typing import Any, NamedTuple

import brownie
from eth_account import Account
from eth_account.messages import encode_typed_data


class Permit(NamedTuple):
    """What a permit is called with behind owner, spender and amount."""

    deadline: int
    v: int
    r: bytes
    s: bytes


FAR = 2**256 - 1


def sign_permit(
    signer: Any, token: Any, spender: Any, amount: int, *, deadline: int = FAR, owner: Any = None, nonce: int | None = None
) -> Permit:
    """Sign a permit.

    Args:
        signer: An account with a key.
        token: Whose allowance it is.
        spender: Who may take the tokens.
        amount: Base units.
        deadline: Timestamp.
        owner: Whose tokens the message names; the signer's if left out.
        nonce: Of the owner; the next one if left out.
    """
    owner = owner or signer
    message = {
        "owner": owner.address,
        "spender": str(spender),
        "value": amount,
        "nonce": token.nonces(owner) if nonce is None else nonce,
        "deadline": deadline,
    }
    domain = {
        "name": token.name(),
        "version": "1",
        "chainId": brownie.web3.eth.chain_id,
        "verifyingContract": token.address,
    }
    types = {
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }
    signed = Account.sign_message(encode_typed_data(domain, types, message), signer.private_key)
    return Permit(deadline, signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big"))

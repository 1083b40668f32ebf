"""Signs EIP-2612 permits, for tokens that have them in the standard form."""

from __future__ import annotations

from typing import Any

from eth_abi.exceptions import DecodingError

from moorage.chain import abi
from moorage.chain.contracts import Permit
from moorage.chain.market import Market
from moorage.chain.rpc import NodeRefused, Rpc, as_bytes
from moorage.typed_data import TypedData, TypedDataSigner
from moorage.types import Address

DOMAIN_VERSIONS = ("1", "2")
"""The standard does not say how to learn a token's version; these two are what tokens have."""
_PERMIT_TYPE = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}


async def permit_message(
    rpc: Rpc, market: Market, owner: Address, amount_base_units: int, deadline_seconds: int
) -> TypedData | None:
    """Return what has to be signed so that the exchange may take exactly this amount.

    The domain is built from the market, never taken from the node: a signature is good for this token only.

    Returns:
        None if the token has no permit that is known here.

    Raises:
        NodeUnavailable: the node does not answer.
    """
    separator = await _ask(rpc, market.token, "DOMAIN_SEPARATOR")
    nonce = await _ask(rpc, market.token, "nonces", owner)
    name = await _ask(rpc, market.token, "name")
    if separator is None or nonce is None or name is None:
        return None
    message = {
        "owner": owner,
        "spender": market.exchange,
        "value": amount_base_units,
        "nonce": nonce,
        "deadline": deadline_seconds,
    }
    for version in DOMAIN_VERSIONS:
        domain = {"name": name, "version": version, "chainId": market.chain_id, "verifyingContract": market.token}
        data = TypedData(domain, _PERMIT_TYPE, "Permit", message)
        if data.signable.header == separator:
            return data
    return None


async def sign_permit(signer: TypedDataSigner, data: TypedData, deadline_seconds: int) -> Permit:
    """Sign a permit's message.

    Raises:
        ChainError: it is not signed.
    """
    signature = await signer.sign_typed_data(data)
    return Permit(deadline_seconds, signature[64], signature[:32], signature[32:64])


async def _ask(rpc: Rpc, token: Address, function: str, *arguments: Any) -> Any:
    """Return what an optional view of the token returns, or None if it has no such view.

    Raises:
        NodeUnavailable: the node does not answer, or not with data.
    """
    erc20 = abi.load("ERC20")
    data = f"0x{erc20.encode(function, *arguments).hex()}"
    try:
        answer = await rpc.call("eth_call", {"to": token, "data": data}, "latest")
        return erc20.decode(function, as_bytes(answer))
    except (NodeRefused, DecodingError, UnicodeDecodeError):
        return None

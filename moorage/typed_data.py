"""Messages that a wallet signs by EIP-712, and whoever signs them: a key in this process, or a signer elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eth_account.messages import SignableMessage, encode_typed_data

from moorage.types import Address

_DOMAIN_TYPES = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
"""The fields that a domain may have, in the order of EIP-712."""


@dataclass(frozen=True, slots=True)
class TypedData:
    """One message; its values are numbers and text, hex for bytes."""

    domain: Mapping[str, Any]
    types: Mapping[str, Sequence[Mapping[str, str]]]
    """Of the message alone, without the domain's."""
    primary_type: str
    message: Mapping[str, Any]

    @property
    def signable(self) -> SignableMessage:
        """What is hashed and signed."""
        return encode_typed_data(dict(self.domain), dict(self.types), dict(self.message))

    @property
    def document(self) -> dict[str, Any]:
        """The whole as eth_signTypedData_v4 wants it."""
        domain = [{"name": name, "type": kind} for name, kind in _DOMAIN_TYPES.items() if name in self.domain]
        return {
            "types": {"EIP712Domain": domain, **self.types},
            "primaryType": self.primary_type,
            "domain": dict(self.domain),
            "message": dict(self.message),
        }


class TypedDataSigner(Protocol):
    """One key, as far as messages go."""

    @property
    def address(self) -> Address: ...

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """Return the signature: 65 bytes, r, s, and v of 27 or 28.

        Raises:
            ChainError: it is not signed, or a signer elsewhere does not answer.
        """
        ...

"""Permits (EIP-2612) as eth-account signs them, apart from the contract, and ways to spoil them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

SUPPLY = 10**24
MAX_WORD = 2**256 - 1
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

PERMIT_FIELDS = ("owner address", "spender address", "value uint256", "nonce uint256", "deadline uint256")
DOMAIN_FIELDS = ("name string", "version string", "chainId uint256", "verifyingContract address")


class Signature(NamedTuple):
    v: int
    r: int
    s: int

    @property
    def words(self) -> tuple[int, str, str]:
        """As the contract takes it."""
        return self.v, f"0x{self.r:064x}", f"0x{self.s:064x}"


@dataclass(frozen=True, slots=True)
class Permit:
    """What is signed."""

    owner: str
    spender: str
    value: int
    nonce: int
    deadline: int

    @property
    def arguments(self) -> tuple[str, str, int, int]:
        return self.owner, self.spender, self.value, self.deadline

    def sign(self, signer: LocalAccount, domain: dict[str, Any]) -> Signature:
        message = {
            "types": {"EIP712Domain": _fields(DOMAIN_FIELDS), "Permit": _fields(PERMIT_FIELDS)},
            "primaryType": "Permit",
            "domain": domain,
            "message": {field: getattr(self, field) for field in self.__dataclass_fields__},
        }
        signed = signer.sign_message(encode_typed_data(full_message=message))
        return Signature(signed.v, signed.r, signed.s)


def domain_of(token: Any, chain_id: int) -> dict[str, Any]:
    """Return the EIP-712 domain that a token should have."""
    return {"name": token.name(), "version": "1", "chainId": chain_id, "verifyingContract": token.address}


def malleated(signature: Signature) -> Signature:
    """Return the other signature that the curve accepts for the same message."""
    return Signature(55 - signature.v, signature.r, CURVE_ORDER - signature.s)


def _fields(declarations: tuple[str, ...]) -> list[dict[str, str]]:
    return [dict(zip(("name", "type"), each.split(), strict=True)) for each in declarations]

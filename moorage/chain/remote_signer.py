"""A key elsewhere, asked by JSON-RPC (eth_signTransaction); what comes back has to be what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eth_account import Account
from eth_keys.datatypes import Signature as EthSignature
from eth_keys.exceptions import BadSignature
from eth_utils.address import is_address, to_checksum_address
from eth_utils.exceptions import ValidationError

from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_bytes
from moorage.chain.signer import Allowed, SigningRefused
from moorage.chain.transactions import NotRlp, Signature, Signed, Transaction, read, signed, signing_hash
from moorage.typed_data import TypedData
from moorage.types import Address

_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
"""Of secp256k1: the greater half of s is refused by every node (EIP-2)."""


async def held_accounts(rpc: Rpc) -> frozenset[Address] | None:
    """Return whose keys a signer has; None if it does not tell, as some never do.

    Raises:
        NodeUnavailable: it does not answer.
    """
    try:
        answer = await rpc.call("eth_accounts")
    except NodeRefused:
        return None
    except NodeUnavailable as error:
        raise NodeUnavailable(f"{error}: is the signer running, and is its address right?") from error
    known = [each for each in answer if is_address(each)] if isinstance(answer, list) else []
    return frozenset(Address(to_checksum_address(each)) for each in known)


class RemoteSigner:
    """A signer at an address of its own: web3signer, Clef, or a node with keys."""

    def __init__(self, rpc: Rpc, address: Address, allowed: Allowed | None) -> None:
        """
        Args:
            rpc: the signer; its context is open as long as this is used.
            address: whose signature is asked for.
            allowed: what is asked for at all; None for anything.
        """
        self.address = address
        self._rpc = rpc
        self._allowed = allowed

    async def sign(self, transaction: Transaction) -> Signed:
        """See moorage.chain.signer.Signer."""
        if self._allowed is not None:
            self._allowed.check(transaction, self.address)
        try:
            answer = await self._rpc.call("eth_signTransaction", self._request(transaction))
        except NodeRefused as error:
            raise SigningRefused(f"the signer at {self._rpc.name} refuses: {error}") from error
        return self._checked(transaction, as_bytes(answer.get("raw") if isinstance(answer, dict) else answer))

    async def check_holds_key(self) -> None:
        """See that the signer has the key, if it tells.

        Raises:
            SigningRefused: it has other ones.
            NodeUnavailable: it does not answer.
        """
        held = await held_accounts(self._rpc)
        if held is not None and self.address not in held:
            raise SigningRefused(f"the signer at {self._rpc.name} does not have the key of {self.address}")

    async def sign_typed_data(self, data: TypedData) -> bytes:
        """See moorage.typed_data.TypedDataSigner (eth_signTypedData_v4)."""
        try:
            answer = await self._rpc.call("eth_signTypedData_v4", self.address, data.document)
        except NodeRefused as error:
            raise SigningRefused(f"the signer at {self._rpc.name} refuses: {error}") from error
        signature = as_bytes(answer)
        if _message_signer(data, signature) != self.address:
            raise SigningRefused(f"the signer at {self._rpc.name} signed something else, or with another key")
        return signature[:64] + bytes((signature[64] % 27 + 27,))

    def _request(self, transaction: Transaction) -> dict[str, str]:
        fees = transaction.fees
        request = {
            "from": self.address,
            "to": transaction.to,
            "value": "0x0",
            "data": f"0x{transaction.data.hex()}",
            "gas": hex(transaction.gas),
            "nonce": hex(transaction.nonce),
            "chainId": hex(transaction.chain_id),
        }
        if fees.tip_wei is None:
            return request | {"gasPrice": hex(fees.max_wei)}
        return request | {"maxFeePerGas": hex(fees.max_wei), "maxPriorityFeePerGas": hex(fees.tip_wei)}

    def _checked(self, asked: Transaction, raw: bytes) -> Signed:
        try:
            made, signature, value = read(raw)
        except NotRlp as error:
            raise SigningRefused(f"the signer at {self._rpc.name} gave no transaction: {error}") from None
        different = list(_differences(asked, made, value))
        if not different and signer_of(asked, signature) != self.address:
            different.append("signer")
        result = signed(asked, signature)
        if different or result.raw != f"0x{raw.hex()}":
            names = ", ".join(different) or "spelling"
            raise SigningRefused(f"the signer at {self._rpc.name} signed something else: another {names}")
        return result


def _differences(asked: Transaction, made: Transaction, value: int) -> Iterator[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "chain id": (asked.chain_id, made.chain_id),
        "nonce": (asked.nonce, made.nonce),
        "recipient": (asked.to, made.to),
        "value": (0, value),
        "data": (asked.data, made.data),
        "gas": (asked.gas, made.gas),
        "maximum fee": (asked.fees.max_wei, made.fees.max_wei),
        "priority fee": (asked.fees.tip_wei, made.fees.tip_wei),
    }
    yield from (name for name, (ours, theirs) in pairs.items() if ours != theirs)


def signer_of(transaction: Transaction, signature: Signature) -> Address | None:
    """Return whose signature it is; None if it is nobody's."""
    if signature.parity > 1 or signature.s > _HALF_ORDER:
        return None
    try:
        made = EthSignature(vrs=(signature.parity, signature.r, signature.s))
        return Address(made.recover_public_key_from_msg_hash(signing_hash(transaction)).to_checksum_address())
    except (BadSignature, ValidationError):
        return None


def _message_signer(data: TypedData, signature: bytes) -> Address | None:
    """Return whose signature of a message it is; None if it is nobody's, or not in the one form that counts (EIP-2)."""
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        return None
    try:
        return Address(Account.recover_message(data.signable, signature=signature))
    except (BadSignature, ValidationError):
        return None

"""Permits of the settlement token, over a node that is in memory."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from moorage.chain import abi
from moorage.chain.market import Market
from moorage.chain.permit import permit_message, sign_permit
from moorage.chain.rpc import NodeRefused, NodeUnavailable
from moorage.chain.signer import LocalSigner
from moorage.types import Address, Parameters

TENANT = Account.from_key(b"\x01" * 32)
EXCHANGE = Address("0x5FbDB2315678afecb367f032d93F642f64180aa3")
TOKEN = Address("0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")
MARKET = Market(31337, Fraction(1), 0, EXCHANGE, EXCHANGE, TOKEN, "MOOR", Parameters(10, 0, 0, 10, 1, 18), {})
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
PERMIT_TYPE = b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


def separator(version: str = "1", chain_id: int = 31337, token: str = TOKEN) -> bytes:
    """Return the domain separator as EIP-712 spells it, without the library that signs."""
    words = [keccak(DOMAIN_TYPE), keccak(b"Coin"), keccak(text=version), chain_id, token]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], words))


class MemoryNode:
    """Answers for a token what it is given; what it is not given the token does not have."""

    def __init__(self, **answers: Any) -> None:
        erc20 = abi.load("ERC20")
        self._answers = {
            erc20.functions[name].selector: encode(erc20.functions[name].outputs, [value])
            for name, value in answers.items()
        }

    async def call(self, method: str, *params: Any) -> str:
        answer = self._answers.get(bytes.fromhex(params[0]["data"][2:10]))
        if answer is None:
            raise NodeRefused(3, "execution reverted", None)
        return f"0x{answer.hex()}"


async def signed(**answers: Any) -> Any:
    node: Any = MemoryNode(**answers)
    data = await permit_message(node, MARKET, Address(TENANT.address), 5_000, 1_800_000_000)
    return None if data is None else await sign_permit(LocalSigner(TENANT), data, 1_800_000_000)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_permit__standard_token__is_signed_for_exactly_that(version):
    domain = separator(version)

    permit = await signed(DOMAIN_SEPARATOR=domain, nonces=7, name="Coin")

    words = [keccak(PERMIT_TYPE), TENANT.address, EXCHANGE, 5_000, 7, 1_800_000_000]
    struct = keccak(encode(["bytes32", "address", "address", "uint256", "uint256", "uint256"], words))
    vrs = (permit.v, int.from_bytes(permit.r, "big"), int.from_bytes(permit.s, "big"))
    assert Account._recover_hash(keccak(b"\x19\x01" + domain + struct), vrs=vrs) == TENANT.address
    assert permit.deadline_seconds == 1_800_000_000 and permit.v in (27, 28)


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"nonces": 7, "name": "Coin"},
        {"DOMAIN_SEPARATOR": separator(), "name": "Coin"},
        {"DOMAIN_SEPARATOR": separator(), "nonces": 7},
        {"DOMAIN_SEPARATOR": separator("3"), "nonces": 7, "name": "Coin"},
        {"DOMAIN_SEPARATOR": separator(chain_id=1), "nonces": 7, "name": "Coin"},
        {"DOMAIN_SEPARATOR": separator(token=EXCHANGE), "nonces": 7, "name": "Coin"},
    ],
)
async def test_permit__token_without_it_or_of_another_domain__signs_nothing(answers):
    assert await signed(**answers) is None


@pytest.mark.parametrize("answer", [None, 7, [], {}, True, "", "0x1", "0xzz", "nonsense"])
async def test_permit__answer_that_is_no_data__is_no_usable_answer(answer):
    class BrokenNode:
        async def call(self, method: str, *params: Any) -> Any:
            return answer

    with pytest.raises(NodeUnavailable):
        await permit_message(BrokenNode(), MARKET, Address(TENANT.address), 5_000, 1_800_000_000)  # type: ignore[arg-type]


async def test_permit__node_is_silent__is_not_read_as_no_permit():
    class SilentNode:
        async def call(self, method: str, *params: Any) -> str:
            raise NodeUnavailable("no answer")

    with pytest.raises(NodeUnavailable):
        await permit_message(SilentNode(), MARKET, Address(TENANT.address), 5_000, 1_800_000_000)  # type: ignore[arg-type]

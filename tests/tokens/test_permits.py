"""Permits of another form than EIP-2612: what they allow can be used, and nothing that was not allowed."""

from __future__ import annotations

from typing import Any

import boa  # type: ignore[import-untyped]
from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.tokens.lifecycle import STRANGER, TENANT, Lifecycle

SIGNER: LocalAccount = Account.from_key("0x" + "53" * 32)
PERMIT = "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)"
FIELDS = ("holder address", "spender address", "nonce uint256", "expiry uint256", "allowed bool")
FOR_EVER = 0


def signature(life: Lifecycle) -> tuple[int, bytes, bytes]:
    """Sign that the exchange may take all tokens, as DAI asks for."""
    market = life.market
    domain = {"name": "Test token", "version": "1", "chainId": boa.env.evm.patch.chain_id}
    message = {"holder": SIGNER.address, "spender": market.exchange, "nonce": 0, "expiry": FOR_EVER, "allowed": True}
    fields = [dict(zip(("name", "type"), field.split(), strict=True)) for field in FIELDS]
    signed = SIGNER.sign_typed_data({**domain, "verifyingContract": market.token}, {"Permit": fields}, message)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def test_a09_deposit__permit_in_the_form_of_dai__allows_nothing_until_the_token_itself_has_it() -> None:
    life = Lifecycle("DaiPermitToken")
    signer: Any = SIGNER.address.lower()
    assert life.token("transfer(address,uint256)", signer, 100, caller=TENANT) is None
    life.model.wallets[TENANT] -= 100
    life.model.wallets[signer] = 100
    words = signature(life)

    assert life.refused("deposit_with_permit", signer, signer, 60, FOR_EVER, *words) == "test token: low allowance"
    assert life.token(PERMIT, signer, life.market.exchange, 0, FOR_EVER, True, *words, caller=STRANGER) is None
    assert life.refused("deposit", STRANGER, STRANGER, 1) == "test token: low allowance"
    life.do("deposit", signer, signer, 60)
    life.do("deposit_with_permit", signer, signer, 40, FOR_EVER, *words)

    life.compare_all()
    assert life.withdrawable(signer) == 100

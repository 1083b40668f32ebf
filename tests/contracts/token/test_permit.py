"""Allowances by signature: eth-account's signatures are taken, and nothing that only looks like one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import brownie
import pytest
from eth_account.signers.local import LocalAccount

from tests.contracts.events import events_of
from tests.contracts.market import NOBODY, refusal
from tests.contracts.token.permits import MAX_WORD, Permit, Signature, domain_of, malleated

FAR = 2**40  # a deadline that does not come


class Signed(NamedTuple):
    """A permit and what it takes to sign it, or one like it."""

    permit: Permit
    domain: dict[str, Any]
    signature: Signature
    signer: LocalAccount
    other: LocalAccount

    @property
    def arguments(self) -> tuple[Any, ...]:
        return (*self.permit.arguments, *self.signature.words)


@pytest.fixture
def signed(token: Any, spender: Any, signer: LocalAccount, other_signer: LocalAccount) -> Signed:
    permit = Permit(signer.address, str(spender), 1_000, 0, FAR)
    domain = domain_of(token, brownie.web3.eth.chain_id)
    return Signed(permit, domain, permit.sign(signer, domain), signer, other_signer)


def resigned(it: Signed, **changes: Any) -> tuple[Any, ...]:
    """Submit what was asked for, with a signature of something that differs."""
    domain = it.domain | {key: value for key, value in changes.items() if key in it.domain}
    fields = {key: value for key, value in changes.items() if key not in it.domain}
    signature = replace(it.permit, **fields).sign(it.signer, domain)
    return it._replace(signature=signature).arguments


def with_signature(it: Signed, signature: Signature) -> tuple[Any, ...]:
    return it._replace(signature=signature).arguments


def test_permit__signed_by_the_owner__allows_and_counts(token: Any, signed: Signed, receiver: Any) -> None:
    transaction = token.permit(*signed.arguments, {"from": receiver})

    owner, spender, amount, _ = signed.permit.arguments
    assert (token.allowance(owner, spender), token.nonces(owner)) == (1_000, 1)
    assert events_of(transaction) == [("Approval", {"owner": owner, "spender": spender, "value": amount})]


def test_permit__of_the_balance__can_be_spent(token: Any, signed: Signed, holder: Any, spender: Any) -> None:
    token.transfer(signed.permit.owner, 1_000, {"from": holder})
    token.permit(*signed.arguments, {"from": spender})

    token.transferFrom(signed.permit.owner, spender, 1_000, {"from": spender})

    assert token.balanceOf(spender) == 1_000


@pytest.mark.parametrize("amount", [0, 1, MAX_WORD])
def test_permit__any_amount__is_allowed_exactly(token: Any, signed: Signed, spender: Any, amount: int) -> None:
    permit = replace(signed.permit, value=amount)

    token.permit(*permit.arguments, *permit.sign(signed.signer, signed.domain).words, {"from": spender})

    assert token.allowance(permit.owner, spender) == amount


def test_permit__next_nonce__replaces_the_allowance(token: Any, signed: Signed, spender: Any) -> None:
    token.permit(*signed.arguments, {"from": spender})
    permit = replace(signed.permit, value=7, nonce=1)

    token.permit(*permit.arguments, *permit.sign(signed.signer, signed.domain).words, {"from": spender})

    assert (token.allowance(permit.owner, spender), token.nonces(permit.owner)) == (7, 2)


def test_a10_permit__used__is_refused(token: Any, signed: Signed, spender: Any) -> None:
    token.permit(*signed.arguments, {"from": spender})

    assert refusal(token.permit, *signed.arguments, by=spender) == "token: bad signature"


@pytest.mark.parametrize("lateness", [0, 1])
def test_a10_permit__around_its_deadline__is_void_after_it(
    token: Any, signed: Signed, spender: Any, lateness: int
) -> None:
    deadline = brownie.web3.eth.get_block("latest")["timestamp"] + 1_000
    permit = replace(signed.permit, deadline=deadline)
    arguments = (*permit.arguments, *permit.sign(signed.signer, signed.domain).words)
    brownie.web3.provider.make_request("evm_setNextBlockTimestamp", [deadline + lateness])

    if lateness:
        with brownie.reverts("token: permit expired"):
            token.permit(*arguments, {"from": spender})
    else:
        token.permit(*arguments, {"from": spender})

    assert token.nonces(permit.owner) == 1 - lateness


BAD_SIGNATURES: dict[str, tuple[str, Callable[[Signed], tuple[Any, ...]]]] = {
    "expired": (
        "token: permit expired",
        lambda it: (*it.permit.arguments[:3], 1, *replace(it.permit, deadline=1).sign(it.signer, it.domain).words),
    ),
    "malleable": ("token: malleable signature", lambda it: with_signature(it, malleated(it.signature))),
    "v of zero or one": (
        "token: bad signature",
        lambda it: with_signature(it, it.signature._replace(v=it.signature.v - 27)),
    ),
    "the other v": (
        "token: bad signature",
        lambda it: with_signature(it, it.signature._replace(v=55 - it.signature.v)),
    ),
    "r of zero": ("token: bad signature", lambda it: with_signature(it, it.signature._replace(r=0))),
    "s of zero": ("token: bad signature", lambda it: with_signature(it, it.signature._replace(s=0))),
    "owner is nobody": (
        "token: bad signature",
        lambda it: (NOBODY, *it.permit.arguments[1:], 27, "0x" + "00" * 32, "0x" + "00" * 32),
    ),
    "of another key": (
        "token: bad signature",
        lambda it: with_signature(it, it.permit.sign(it.other, it.domain)),
    ),
    "for another owner": (
        "token: bad signature",
        lambda it: (it.other.address, *it.permit.arguments[1:], *it.signature.words),
    ),
    "for another spender": ("token: bad signature", lambda it: resigned(it, spender=it.other.address)),
    "for a larger amount": ("token: bad signature", lambda it: resigned(it, value=1_001)),
    "for another deadline": ("token: bad signature", lambda it: resigned(it, deadline=FAR - 1)),
    "with a nonce ahead": ("token: bad signature", lambda it: resigned(it, nonce=1)),
    "on another chain": ("token: bad signature", lambda it: resigned(it, chainId=1)),
    "on another contract": ("token: bad signature", lambda it: resigned(it, verifyingContract=it.other.address)),
    "on another name": ("token: bad signature", lambda it: resigned(it, name="Moorage 2")),
    "on another version": ("token: bad signature", lambda it: resigned(it, version="2")),
}


@pytest.mark.parametrize("spoiled", BAD_SIGNATURES)
def test_a10_permit__bad_signature__is_refused(token: Any, signed: Signed, receiver: Any, spoiled: str) -> None:
    reason, arguments_of = BAD_SIGNATURES[spoiled]

    assert refusal(token.permit, *arguments_of(signed), by=receiver) == reason


def test_permit__nobody_as_spender__is_refused(token: Any, signed: Signed, receiver: Any) -> None:
    permit = replace(signed.permit, spender=NOBODY)
    signature = permit.sign(signed.signer, signed.domain)

    assert refusal(token.permit, *permit.arguments, *signature.words, by=receiver) == "token: bad spender"


@pytest.fixture
def forked_chain_id() -> Iterator[int]:
    """A chain id that the chain has during the test."""
    before = brownie.web3.eth.chain_id
    brownie.web3.provider.make_request("anvil_setChainId", [4_242])
    yield 4_242
    brownie.web3.provider.make_request("anvil_setChainId", [before])


def test_a10_permit__chain_forked_after_signing__is_refused_there(
    token: Any, signed: Signed, receiver: Any, forked_chain_id: int
) -> None:
    assert refusal(token.permit, *signed.arguments, by=receiver) == "token: bad signature"


def test_permit__signed_for_the_fork__is_taken_there(
    token: Any, signed: Signed, receiver: Any, forked_chain_id: int
) -> None:
    signature = signed.permit.sign(signed.signer, domain_of(token, forked_chain_id))

    token.permit.call(*signed.permit.arguments, *signature.words, {"from": receiver})


def test_a10_domain_separator__on_a_fork__differs(token: Any, signed: Signed, forked_chain_id: int) -> None:
    here = token.DOMAIN_SEPARATOR()

    brownie.web3.provider.make_request("anvil_setChainId", [signed.domain["chainId"]])

    assert token.DOMAIN_SEPARATOR() != here

"""Transactions that we sign ourselves are, byte for byte, what eth_account makes of the same fields."""

from __future__ import annotations

import asyncio

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.chain import signer
from moorage.chain.signer import LocalSigner
from moorage.chain.transactions import Fees, NotRlp, Signed, Transaction, read, signed, signing_hash
from moorage.types import Address

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEYS = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
WEI = st.integers(0, 2**128)
TRANSACTIONS = st.builds(
    Transaction,
    chain_id=st.integers(1, 2**32),
    nonce=st.integers(0, 2**40),
    to=st.binary(min_size=20, max_size=20).map(lambda raw: Address(to_checksum_address(raw))),
    data=st.one_of(st.binary(max_size=3), st.binary(max_size=300), st.just(b"\x07" * 66_000)),
    gas=st.integers(0, 2**40),
    fees=st.one_of(st.builds(Fees, WEI, WEI), st.builds(Fees, WEI, st.none())),
)


def reference(account: LocalAccount, transaction: Transaction) -> tuple[str, str]:
    """Return hash and bytes as eth_account makes them."""
    fees = transaction.fees
    fields = {
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": transaction.to,
        "value": 0,
        "data": transaction.data,
        "gas": transaction.gas,
    }
    if fees.tip_wei is None:
        fields |= {"gasPrice": fees.max_wei}
    else:
        fields |= {"type": 2, "maxFeePerGas": fees.max_wei, "maxPriorityFeePerGas": fees.tip_wei}
    made = account.sign_transaction(fields)
    return f"0x{bytes(made.hash).hex()}", f"0x{bytes(made.raw_transaction).hex()}"


def sign(key: bytes, transaction: Transaction) -> Signed:
    return asyncio.run(LocalSigner(Account.from_key(key)).sign(transaction))  # no plugin awaits what @given makes


@given(KEYS, TRANSACTIONS)
def test_sign__any_transaction__is_what_eth_account_makes(key: bytes, transaction: Transaction) -> None:
    account: LocalAccount = Account.from_key(key)

    made = sign(key, transaction)

    assert (made.hash, made.raw) == reference(account, transaction)


@given(KEYS, TRANSACTIONS)
@settings(max_examples=15)
def test_sign__without_the_library_in_c__is_the_same(key: bytes, transaction: Transaction) -> None:
    account: LocalAccount = Account.from_key(key)
    slow = signer._slow_signing(key)

    made = signed(transaction, slow(signing_hash(transaction)))

    assert (made.hash, made.raw) == reference(account, transaction)


@given(KEYS, TRANSACTIONS)
def test_read__what_was_signed__is_what_was_asked_for(key: bytes, transaction: Transaction) -> None:
    made = sign(key, transaction)

    found, signature, value = read(bytes.fromhex(made.raw[2:]))

    assert (found, value) == (transaction, 0)
    assert signed(found, signature) == made


@given(st.binary(max_size=200))
def test_read__any_bytes__is_refused_or_the_only_spelling_of_something(raw: bytes) -> None:
    try:
        found, signature, value = read(raw)
    except NotRlp:
        return
    if value == 0 and found.to:
        signed(found, signature)


@given(KEYS, TRANSACTIONS, st.data())
def test_read__cut_off_or_prolonged__is_refused(key: bytes, transaction: Transaction, data: st.DataObject) -> None:
    made = sign(key, transaction)
    raw = bytes.fromhex(made.raw[2:])
    end = data.draw(st.integers(0, len(raw) - 1))

    for broken in (raw[:end], raw + b"\0"):
        with pytest.raises(NotRlp):
            read(broken)

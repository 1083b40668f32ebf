"""Files of transactions on their way to a key and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from cli.failures import ExitStatus, Failure
from cli.unsigned import read_signed, read_unsigned, write_signed
from moorage.chain.signer import LocalSigner
from moorage.chain.transactions import Fees, Transaction
from tests.factories.calls import MARKET, make_call

KEY, OTHER = (Account.from_key(bytes([number]) * 32) for number in (5, 6))
TRANSACTION = Transaction(31337, 3, MARKET.exchange, make_call("Exchange", "deposit").data, 90_000, Fees(9, 1))
UNSIGNED = {
    "nonce": 3,
    "to": MARKET.exchange,
    "data": "0x00",
    "gas": 90_000,
    "max_fee_wei": 9,
    "priority_fee_wei": 1,
}


async def signed(path: Path, *transactions: Transaction, keys: tuple[object, ...] = (KEY,)) -> Path:
    pairs = zip(transactions, keys * len(transactions), strict=False)
    write_signed(path, 31337, [await LocalSigner(key).sign(each) for each, key in pairs])  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("fees", [Fees(9, 1), Fees(9, None)])
async def test_signed__read__is_what_was_signed_and_by_whom(tmp_path, fees):
    both = replace(TRANSACTION, fees=fees), replace(TRANSACTION, fees=fees, nonce=4)

    found = read_signed(await signed(tmp_path / "file", *both))

    assert found.sender == KEY.address and tuple(each for each, _ in found.transactions) == both
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


async def test_signed__by_several_keys__is_refused(tmp_path):
    path = await signed(tmp_path / "file", TRANSACTION, replace(TRANSACTION, nonce=4), keys=(KEY, OTHER))

    with pytest.raises(Failure, match="not all signed by one key") as caught:
        read_signed(path)
    assert caught.value.status is ExitStatus.USAGE


def coin() -> str:
    fields = {"to": MARKET.exchange, "value": 1, "gas": 21_000, "nonce": 0, "chainId": 31337, "data": "0x"}
    made = KEY.sign_transaction(fields | {"maxFeePerGas": 9, "maxPriorityFeePerGas": 1})
    return str(made.raw_transaction.to_0x_hex())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transactions": [coin()]}, "moves the chain's coin"),
        ({"transactions": ["0x1234"]}, "not a file of transactions"),
        ({"transactions": ["nonsense"]}, "not a file of transactions"),
        ({"transactions": []}, "there is nothing in it"),
        ({"kind": "other"}, "wanted is 'moorage-signed'"),
        ({"format": 2}, "of format 2"),
        ({"transactions": 7}, "not a file of transactions"),
    ],
)
async def test_signed__of_another_form__is_refused(tmp_path, change, words):
    path = await signed(tmp_path / "file", TRANSACTION)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(Failure, match=words):
        read_signed(path)


def test_unsigned__is_sent__says_that_it_is_not_signed_yet(tmp_path):
    document = {"format": 1, "kind": "moorage-unsigned", "chain_id": 1, "sender": KEY.address}
    (tmp_path / "file").write_text(json.dumps({**document, "transactions": [UNSIGNED]}))

    with pytest.raises(Failure, match="file: not signed yet: `moorage wallet sign file` first"):
        read_signed(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"to": "0x12"}, "no address"),
        ({"to": MARKET.exchange[:-1] + "B"}, "mistyped"),
        ({"data": "0x0"}, "not a file of transactions"),
        ({"value": "1"}, "unknown field `value`"),
        ({"nonce": "3"}, "not a file of transactions"),
        ({"gas": 1.5}, "not a file of transactions"),
        ({"gas": -1}, "not a file of transactions"),
        ({"nonce": -1}, "not a file of transactions"),
        ({"nonce": 2**64}, "not a file of transactions"),
        ({"max_fee_wei": 2**300}, "not a file of transactions"),
        ({"priority_fee_wei": -1}, "not a file of transactions"),
    ],
)
def test_unsigned__of_another_form__is_refused(tmp_path, change, words):
    document = {"format": 1, "kind": "moorage-unsigned", "chain_id": 1, "sender": KEY.address}
    (tmp_path / "file").write_text(json.dumps({**document, "transactions": [UNSIGNED | change]}))

    with pytest.raises(Failure, match=words) as caught:
        read_unsigned(tmp_path / "file")
    assert caught.value.status is ExitStatus.USAGE

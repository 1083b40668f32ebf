"""Who signs what: the calls that a key is for, and nothing of the key in anything that is shown."""

from __future__ import annotations

import copy
import sys
import traceback
from dataclasses import replace

import pytest
import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.chain import abi, signer
from moorage.chain.signer import LocalSigner, SigningRefused, market_calls
from moorage.chain.transactions import Fees, Transaction
from moorage.types import Address
from tests.fakes.market_node import MARKET

CANARY = b"\xca\x7a\x11" * 10 + b"\x01\x02"
ACCOUNT: LocalAccount = Account.from_key(CANARY)
ALLOWED = market_calls(MARKET, exchange=("submit_lease", "claim"), registry=())
SELECTORS = abi.load("Exchange").functions
ELSEWHERE = Address("0x00000000000000000000000000000000000000AA")
TRANSACTION = Transaction(
    MARKET.chain_id, 0, MARKET.exchange, SELECTORS["claim"].selector + b"\0" * 64, 100_000, Fees(3 * 10**9, 10**9)
)


def transaction(**changes: object) -> Transaction:
    return replace(TRANSACTION, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wanted",
    [
        transaction(),
        transaction(data=SELECTORS["submit_lease"].selector),
        transaction(to=Address(ACCOUNT.address), data=b""),
        transaction(fees=Fees(10**9, None)),
    ],
    ids=["a claim", "a match", "nothing but a nonce", "a legacy fee"],
)
async def test_g31_signer__call_of_the_market__is_signed(wanted: Transaction) -> None:
    made = await LocalSigner(ACCOUNT, ALLOWED).sign(wanted)

    assert Account.recover_transaction(made.raw) == ACCOUNT.address


@pytest.mark.parametrize(
    ("unwanted", "words"),
    [
        (transaction(chain_id=1), "it is for chain 1, this key is for 31337"),
        (transaction(to=ELSEWHERE), f"at {ELSEWHERE} is no call for this key"),
        (transaction(to=MARKET.token, data=abi.load("ERC20").functions["transfer"].selector), "a9059cbb at"),
        (transaction(data=SELECTORS["withdraw"].selector), f"{SELECTORS['withdraw'].selector.hex()} at"),
        (transaction(to=MARKET.registry, data=SELECTORS["claim"].selector), "is no call for this key"),
        (transaction(data=b""), "a bare payment at"),
        (transaction(data=SELECTORS["claim"].selector[:3]), "is no call for this key"),
        (transaction(to=Address(ACCOUNT.address)), "is no call for this key"),
    ],
    ids=["chain", "contract", "token's selector", "selector", "registry", "no selector", "half a selector", "itself"],
)
async def test_g31_signer__any_other_call__is_refused(unwanted: Transaction, words: str) -> None:
    with pytest.raises(SigningRefused, match="not signed: ") as caught:
        await LocalSigner(ACCOUNT, ALLOWED).sign(unwanted)

    assert words in str(caught.value)


def test_g31_market_calls__no_names_given__are_all_functions_of_the_market() -> None:
    everything = market_calls(MARKET)

    assert set(everything.selectors) == {MARKET.exchange, MARKET.registry, MARKET.token}
    assert everything.selectors[MARKET.exchange] == {each.selector for each in SELECTORS.values()}
    assert len(everything.selectors[MARKET.token]) == 1


async def test_g31_market_calls__key_for_some_functions__gives_nobody_an_allowance_of_tokens() -> None:
    approve = transaction(to=MARKET.token, data=abi.load("ERC20").functions["approve"].selector)

    with pytest.raises(SigningRefused, match="is no call for this key"):
        await LocalSigner(ACCOUNT, ALLOWED).sign(approve)
    await LocalSigner(ACCOUNT, market_calls(MARKET)).sign(approve)


async def test_g26_signer__shown_or_failing__shows_nothing_of_the_key() -> None:
    local = LocalSigner(ACCOUNT, ALLOWED)
    shown = [repr(local), str(local), repr(vars(local))]
    for broken in (transaction(to=ELSEWHERE), transaction(to=Address("0xnothing")), transaction(nonce=-1)):
        try:
            await local.sign(broken)
        except Exception as error:
            shown += [str(error), repr(error), "".join(traceback.format_exception(error))]

    assert len(shown) == 12
    for text in shown:
        assert not any(secret in text for secret in (CANARY.hex(), repr(CANARY), str(int.from_bytes(CANARY, "big"))))


def test_signer__library_in_c_is_missing__says_so_once_and_signs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coincurve", None)
    signer._warn_of_slowness.cache_clear()
    digest = b"\x05" * 32

    with structlog.testing.capture_logs() as logs:
        slow = [signer._signing(CANARY) for _ in range(2)][-1](digest)
    monkeypatch.undo()

    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "coincurve is missing" in logs[0]["event"]
    assert slow == signer._signing(CANARY)(digest)
    assert CANARY.hex() not in str(copy.deepcopy(logs))

"""A remote signer is asked only for what the key is for, and believed only where it signed what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.chain.remote_signer import _HALF_ORDER, RemoteSigner
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.chain.signer import LocalSigner, SigningRefused, market_calls
from moorage.chain.transactions import Fees, Signature, Transaction, read, signed
from moorage.types import Address
from tests.fakes.market_node import MARKET
from tests.fakes.node import PATIENT, Node, Refusal, fake_node
from tests.unit.test_signer import SELECTORS

ACCOUNT: LocalAccount = Account.from_key(b"\x01" * 32)
OTHER: LocalAccount = Account.from_key(b"\x02" * 32)
ADDRESS = Address(ACCOUNT.address)
ALLOWED = market_calls(MARKET, exchange=("claim",))
FEES = Fees(3 * 10**9, 10**9)
CLAIM = Transaction(MARKET.chain_id, 7, MARKET.exchange, SELECTORS["claim"].selector + b"\1" * 64, 90_000, FEES)


async def answer_of(transaction: Transaction, account: LocalAccount = ACCOUNT) -> str:
    return (await LocalSigner(account).sign(transaction)).raw


async def ask(answer: Any, transaction: Transaction = CLAIM) -> tuple[Any, Node]:
    """Return what the signer makes of an answer, and what it was asked."""
    async with fake_node(lambda method, params: answer) as (node, rpc):
        return await RemoteSigner(rpc, ADDRESS, ALLOWED).sign(transaction), node


@pytest.mark.parametrize("wrap", [lambda raw: raw, lambda raw: {"raw": raw, "tx": {}}], ids=["bytes", "an object"])
@pytest.mark.parametrize("fees", [FEES, Fees(10**9, None)], ids=["dynamic", "legacy"])
async def test_g31_remote_signer__signs_what_was_asked__is_taken(wrap: Callable[[str], Any], fees: Fees) -> None:
    wanted = replace(CLAIM, fees=fees)

    made, node = await ask(wrap(await answer_of(wanted)), wanted)

    assert made == await LocalSigner(ACCOUNT).sign(wanted)
    ((method, (request,)),) = node.calls
    assert method == "eth_signTransaction"
    assert (request["from"], request["to"], request["value"], request["nonce"]) == (ADDRESS, wanted.to, "0x0", "0x7")
    assert (request["data"], request["gas"], request["chainId"]) == (f"0x{wanted.data.hex()}", hex(90_000), "0x7a69")
    prices = {"maxFeePerGas", "maxPriorityFeePerGas"} if fees is FEES else {"gasPrice"}
    assert {key for key in request if "Fee" in key or "Price" in key} == prices


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"chain_id": 1}, "chain id"),
        ({"nonce": 8}, "nonce"),
        ({"to": MARKET.registry}, "recipient"),
        ({"data": CLAIM.data + b"\0"}, "data"),
        ({"gas": 90_001}, "gas"),
        ({"fees": Fees(3 * 10**9 + 1, 10**9)}, "maximum fee"),
        ({"fees": Fees(3 * 10**9, 10**9 - 1)}, "priority fee"),
        ({"fees": Fees(3 * 10**9, None)}, "priority fee"),
        ({"chain_id": 1, "gas": 1}, "chain id, gas"),
    ],
)
async def test_g31_remote_signer__signs_something_else__is_refused_by_what_differs(
    changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(SigningRefused, match=f"signed something else: another {word}$"):
        await ask(await answer_of(replace(CLAIM, **changes)))


async def test_g31_remote_signer__moves_coin_along__is_refused() -> None:
    fields = {"type": 2, "chainId": CLAIM.chain_id, "nonce": 7, "to": CLAIM.to, "value": 1, "data": CLAIM.data}
    fields |= {"gas": 90_000, "maxFeePerGas": FEES.max_wei, "maxPriorityFeePerGas": FEES.tip_wei}
    made = ACCOUNT.sign_transaction(fields)

    with pytest.raises(SigningRefused, match=r"another value$"):
        await ask(f"0x{bytes(made.raw_transaction).hex()}")


async def test_g31_remote_signer__another_key_signs__is_refused() -> None:
    with pytest.raises(SigningRefused, match=r"another signer$"):
        await ask(await answer_of(CLAIM, OTHER))


async def test_g31_remote_signer__other_spelling_of_the_signature__is_refused() -> None:
    _, signature, _ = read(bytes.fromhex((await answer_of(CLAIM))[2:]))
    mirrored = Signature(1 - signature.parity, signature.r, 2 * _HALF_ORDER + 1 - signature.s)

    with pytest.raises(SigningRefused, match=r"another signer$"):
        await ask(signed(CLAIM, mirrored).raw)


@pytest.mark.parametrize("signature", [Signature(0, 0, 0), Signature(1, 2**256 - 1, 5), Signature(7, 5, 5)])
async def test_g31_remote_signer__no_signature__is_refused(signature: Signature) -> None:
    with pytest.raises(SigningRefused, match=r"another signer$"):
        await ask(signed(CLAIM, signature).raw)


@pytest.mark.parametrize("answer", ["0x", "0x02", "0x03c0", "0xc0", "0x02c20102", "0x" + "c1" * 5_000 + "c0"])
async def test_remote_signer__gives_no_transaction__is_refused(answer: str) -> None:
    with pytest.raises(SigningRefused, match="gave no transaction"):
        await ask(answer)


@pytest.mark.parametrize("answer", [None, 5, {}, "nonsense"])
async def test_remote_signer__gives_no_bytes__is_no_answer(answer: Any) -> None:
    with pytest.raises(NodeUnavailable):
        await ask(answer)


async def test_remote_signer__refuses__says_so_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_node(_refuse) as (node, _), Rpc(f"{node.url}secret-token", PATIENT) as rpc:
        with pytest.raises(SigningRefused, match="refuses: no such account") as caught:
            await RemoteSigner(rpc, ADDRESS, ALLOWED).sign(CLAIM)

    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"chain_id": 1}, {"to": ADDRESS}, {"data": SELECTORS["withdraw"].selector}])
async def test_g31_remote_signer__call_that_the_key_is_not_for__is_not_even_asked(changes: dict[str, Any]) -> None:
    async with fake_node(lambda method, params: "0x") as (node, rpc):
        with pytest.raises(SigningRefused, match="not signed"):
            await RemoteSigner(rpc, ADDRESS, ALLOWED).sign(replace(CLAIM, **changes))

    assert node.calls == []


def _refuse(method: str, params: list[Any]) -> Any:
    raise Refusal("no such account", code=-32000)

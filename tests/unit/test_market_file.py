"""The deployments file: what is read from it, and each way in which it can be of no use."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from moorage.chain import abi
from moorage.chain.market import REMEDY, MarketError, check_market, load_market
from moorage.chain.rpc import NodeUnavailable
from moorage.types import Parameters
from tests.bytecode import creation_code
from tests.fakes.node import Refusal, fake_node

EXCHANGE = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
REGISTRY = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
TOKEN = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
CODE = {
    EXCHANGE: b"exchange" + b"".join(each.selector for each in abi.load("Exchange").functions.values()),
    REGISTRY: b"registry" + b"".join(each.selector for each in abi.load("ProviderRegistry").functions.values()),
    TOKEN: b"token",
}
DOCUMENT: dict[str, Any] = {
    "chain_id": 31337,
    "block": 4,
    "seconds_per_block": "0.5",
    "contracts": {
        "Exchange": {"address": EXCHANGE, "code_hash": f"0x{keccak(CODE[EXCHANGE]).hex()}", "extra": 1},
        "ProviderRegistry": {"address": REGISTRY.lower(), "code_hash": keccak(CODE[REGISTRY]).hex()},
        "Token": {"address": TOKEN, "code_hash": keccak(b"token").hex(), "symbol": "MOOR", "decimals": 6},
    },
    "parameters": {
        "reconfirmation_period_blocks": 100,
        "collateral_interest_rate": 2,
        "facilitator_tip": 3,
        "closing_grace_blocks": 4,
        "max_fulfillments": 5,
    },
    "more": "is ignored",
}
PARAMETERS = {
    "settlement_token": TOKEN,
    "provider_registry": REGISTRY,
    "ledger_scale": 10**12,
    **DOCUMENT["parameters"],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "31337.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def changed(key: str, value: Any) -> str:
    """Return the document with another value below a dotted key; None takes the key away."""
    document = copy.deepcopy(DOCUMENT)
    *folders, last = key.split(".")
    place = document
    for folder in folders:
        place = place[folder]
    place[last] = value
    if value is None:
        del place[last]
    return json.dumps(document)


def answer(method: str, params: list[Any], **wrong: Any) -> Any:
    """Be the node on which the document's market is."""
    if method == "eth_chainId":
        return wrong.get("chain_id", "0x7a69")
    if method == "eth_getCode":
        return f"0x{wrong.get('code', CODE)[params[0]].hex()}"
    assert params[0]["data"] == f"0x{abi.load('Exchange').encode('market_parameters').hex()}"
    values = [wrong.get(name, value) for name, value in PARAMETERS.items()]
    return f"0x{encode(['address', 'address', *6 * ['uint256']], values).hex()}"


def test_load_market__good_file__is_read(path: Path) -> None:
    market = load_market(path)

    assert (market.chain_id, market.first_block, market.seconds_per_block) == (31337, 4, Fraction(1, 2))
    assert (market.exchange, market.registry, market.token, market.token_symbol) == (EXCHANGE, REGISTRY, TOKEN, "MOOR")
    assert market.parameters == Parameters(100, 2, 3, 4, 5, 6)
    assert market.code_hashes == {address: keccak(code) for address, code in CODE.items()}


@pytest.mark.parametrize(("written", "expected"), [(12, Fraction(12)), ("12", Fraction(12)), ("1/3", Fraction(1, 3))])
def test_load_market__block_time__is_exact(path: Path, written: int | str, expected: Fraction) -> None:
    path.write_text(changed("seconds_per_block", written))

    assert load_market(path).seconds_per_block == expected


def test_load_market__no_such_file__says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(MarketError) as caught:
        load_market(tmp_path / "1.json")

    assert str(caught.value).startswith(
        f"{tmp_path / '1.json'}: no such file: get the market's file from whoever runs the market"
    )


def test_load_market__folder__is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MarketError) as caught:
        load_market(tmp_path)

    assert str(caught.value) == f"{tmp_path}: Is a directory: {REMEDY}"


BAD = [
    *((key, None) for key in DOCUMENT if key != "more"),
    *((f"contracts.{name}", None) for name in DOCUMENT["contracts"]),
    *((f"contracts.{name}.{key}", None) for name in DOCUMENT["contracts"] for key in ("address", "code_hash")),
    *((f"parameters.{name}", None) for name in DOCUMENT["parameters"]),
    *((f"parameters.{name}", value) for name in DOCUMENT["parameters"] for value in (-1, 1.5, "1", True)),
    ("contracts.Token.symbol", None),
    ("contracts.Token.symbol", 7),
    ("contracts.Token.decimals", None),
    ("contracts.Token.decimals", 256),
    ("contracts.Exchange.address", "0x12"),
    ("contracts.Exchange.address", 12),
    ("contracts.Exchange.address", REGISTRY),
    ("contracts.Exchange.code_hash", 12),
    ("contracts.Exchange.code_hash", "0x12"),
    ("contracts.Exchange.code_hash", "zz" * 32),
    ("contracts", []),
    ("parameters", 7),
    ("chain_id", "31337"),
    ("chain_id", -1),
    ("block", 1.5),
    ("seconds_per_block", "0"),
    ("seconds_per_block", "-1"),
    ("seconds_per_block", "1/0"),
    ("seconds_per_block", "soon"),
    ("seconds_per_block", 0.5),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_load_market__bad_value__names_file_fault_and_remedy(path: Path, key: str, value: Any) -> None:
    path.write_text(changed(key, value))

    with pytest.raises(MarketError) as caught:
        load_market(path)

    message = str(caught.value)
    assert message.startswith(f"{path}: not a file of the deploy script: ")
    assert message.endswith(REMEDY)
    assert "\n" not in message
    if value is None:
        assert key.rpartition(".")[2] in message


@pytest.mark.parametrize(("name", "address"), [("Exchange", EXCHANGE), ("Token", TOKEN)])
def test_a19_load_market__address_with_one_letter_in_the_wrong_case__is_refused(
    path: Path, name: str, address: str
) -> None:
    letter = next(character for character in address[2:] if character.isalpha())
    path.write_text(changed(f"contracts.{name}.address", address.replace(letter, letter.swapcase(), 1)))

    with pytest.raises(MarketError, match="is mistyped"):
        load_market(path)


@pytest.mark.parametrize("spelling", [str.lower, str])
def test_a19_load_market__address_without_capitals_or_with_those_of_its_checksum__is_read(
    path: Path, spelling: Callable[[str], str]
) -> None:
    path.write_text(changed("contracts.Exchange.address", spelling(EXCHANGE)))

    assert load_market(path).exchange == EXCHANGE


def test_a19_load_market__address_all_in_capitals__is_refused(path: Path) -> None:
    path.write_text(changed("contracts.Exchange.address", f"0x{EXCHANGE[2:].upper()}"))

    with pytest.raises(MarketError, match="is mistyped"):
        load_market(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"chain_id": "\xff"}', b"{}", b"[" * 9_999])
def test_load_market__no_such_document__is_one_clear_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(MarketError, match=r"31337\.json: not a file of the deploy script: [^\n]*whoever deployed"):
        load_market(path)


async def test_check_market__the_same__passes(path: Path) -> None:
    async with fake_node(answer) as (_, rpc):
        await check_market(rpc, load_market(path))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"chain_id": "0x1"}, "is on chain 1, the contracts are on chain 31337: use a node of that chain"),
    ({"code": {**CODE, TOKEN: b""}}, f"no contract at {TOKEN} on chain 31337: deploy again or use the right"),
    (
        {"code": {**CODE, REGISTRY: b"x"}},
        f"contract at {REGISTRY} has other code than the deployments file says",
    ),
    ({"reconfirmation_period_blocks": 50}, "reconfirmation_period_blocks of the exchange is 50, the deployments file"),
    ({"collateral_interest_rate": 50}, "collateral_interest_rate of the exchange is 50"),
    ({"ledger_scale": 1}, "ledger_scale of the exchange is 1, the deployments file says 1000000000000"),
    ({"settlement_token": EXCHANGE}, f"settlement_token of the exchange is {EXCHANGE.lower()}, the deployments file"),
]


@pytest.mark.parametrize(("wrong", "expected"), WRONG)
async def test_e13_check_market__file_and_chain_differ__says_what_to_do(
    path: Path, wrong: dict[str, Any], expected: str
) -> None:
    async with fake_node(lambda method, params: answer(method, params, **wrong)) as (_, rpc):
        with pytest.raises(MarketError) as caught:
            await check_market(rpc, load_market(path))

    assert expected in str(caught.value)


@pytest.mark.parametrize("method", ["eth_chainId", "eth_getCode", "eth_call"])
async def test_check_market__node_refuses_or_answers_nonsense__is_no_traceback(path: Path, method: str) -> None:
    def refuse(asked: str, params: list[Any]) -> Any:
        if asked == method:
            raise Refusal("not allowed")
        return answer(asked, params)

    async with fake_node(refuse) as (_, rpc):
        with pytest.raises(MarketError, match="refuses: not allowed"):
            await check_market(rpc, load_market(path))
    async with fake_node(lambda asked, params: answer(asked, params) if asked != method else None) as (_, rpc):
        with pytest.raises(NodeUnavailable):
            await check_market(rpc, load_market(path))


def older_market(path: Path, name: str, function: str) -> bytes:
    """Write a market with a contract that lacks a function, and return that contract's code."""
    document = json.loads(path.read_text())
    contract = document["contracts"][name]
    older = CODE[EXCHANGE if name == "Exchange" else REGISTRY].replace(abi.load(name).functions[function].selector, b"")
    contract["code_hash"] = keccak(older).hex()
    path.write_text(json.dumps(document))
    return older


@pytest.mark.parametrize(("contract", "function"), [(EXCHANGE, "submit_lease"), (REGISTRY, "advertise")])
async def test_g30_check_market__contract_of_another_version__names_what_is_missing(
    path: Path, contract: str, function: str
) -> None:
    older = older_market(path, "Exchange" if contract == EXCHANGE else "ProviderRegistry", function)

    async with fake_node(lambda method, params: answer(method, params, code={**CODE, contract: older})) as (_, rpc):
        with pytest.raises(MarketError) as caught:
            await check_market(rpc, load_market(path))

    assert str(caught.value) == (
        f"the contract at {contract} is of another version than this program: it has no {function}: "
        "install the program's version that this market is for"
    )


@pytest.mark.parametrize("contract", ["Exchange", "ProviderRegistry"])
def test_g30_missing_functions__contracts_as_they_are_compiled__lack_none(contract: str) -> None:
    assert abi.missing_functions(contract, creation_code(contract)) == []
    assert abi.missing_functions(contract, b"") != []

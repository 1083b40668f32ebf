"""What is shown of a call before it is signed: by its calldata alone, for every function that there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cli.failures import ExitStatus, Failure
from cli.wording import names_of, words_for
from moorage import terms
from moorage.chain import abi
from moorage.chain.contracts import Call
from moorage.money import Money
from moorage.types import DeploymentId, OrderKey
from tests.factories.calls import ARGUMENTS, GROUP, KEY, MARKET, ONE, SALT, STRANGER, WALLET, address_of, make_call

GOLDEN = Path(__file__).parent / "prompts.txt"
NAMES = names_of(MARKET, Money("MOOR", 18, MARKET.seconds_per_block), WALLET)
FUNCTIONS = [(contract, function) for contract, functions in ARGUMENTS.items() for function in functions]


def shown(call: Call) -> str:
    return "\n".join(words_for(MARKET, NAMES, call))


def test_j01_prompts__every_function__are_those_that_were_agreed_on():
    prompts = [f"{contract}.{function}\n{shown(make_call(contract, function))}\n" for contract, function in FUNCTIONS]

    assert "\n".join(prompts) == GOLDEN.read_text()


@pytest.mark.parametrize("contract", ARGUMENTS)
def test_j01_prompts__function_that_changes_something__has_words(contract):
    changing = {each.name for each in abi.load(contract).functions.values() if each.changes}

    assert changing == set(ARGUMENTS[contract])


def calldata(contract: str, function: str) -> bytes:
    return make_call(contract, function).data


@pytest.mark.parametrize(
    "call",
    [
        Call(MARKET.exchange, b"", "deposit 1"),
        Call(MARKET.exchange, b"\xde\xad\xbe\xef", "deposit 1"),
        Call(MARKET.exchange, calldata("Exchange", "deposit") + bytes(32), "something after the arguments"),
        Call(MARKET.exchange, calldata("Exchange", "deposit")[:-1], "cut off"),
        Call(MARKET.exchange, calldata("ERC20", "approve"), "a function of another contract"),
        Call(STRANGER, calldata("ERC20", "approve"), "another token"),
        Call(MARKET.token, abi.load("ERC20").encode("balanceOf", WALLET), "a view"),
        Call(MARKET.exchange, calldata("Exchange", "deposit").replace(bytes(12), b"\1" * 12, 1), "dirty address"),
        Call(MARKET.registry, calldata("ProviderRegistry", "update_provider").replace(b"x", b"\xff"), "no text"),
    ],
    ids=lambda call: call.description,
)
def test_j01_prompts__what_does_not_decode__is_refused(call):
    with pytest.raises(Failure, match="no call that can be shown in words") as caught:
        shown(call)

    assert caught.value.status is ExitStatus.REFUSED


@pytest.mark.parametrize(
    ("contract", "function", "arguments", "words"),
    [
        ("ERC20", "approve", (MARKET.exchange, 0), f"let the exchange {MARKET.exchange} take nothing"),
        ("ERC20", "approve", (MARKET.exchange, 1), "take up to 0.000000000000000001 MOOR"),
        ("ERC20", "approve", (STRANGER, 2**255), "WITHOUT ANY LIMIT"),
        ("ERC20", "approve", (STRANGER, 2**255 - 1), f"let {STRANGER} take up to 5789604461865809771178549250434395"),
        ("Exchange", "deposit", (STRANGER, ONE), f"into the account of {STRANGER}"),
        ("Exchange", "withdraw_to", (WALLET, ONE, WALLET), f"paid to this wallet {WALLET}"),
        ("Exchange", "set_manager", (SALT, STRANGER, 0, 0, 0), f"take all rights from manager {STRANGER}"),
        ("Exchange", "set_manager", (SALT, STRANGER, 15, 1, 1), "and unknown rights (0xf)"),
        ("Exchange", "submit_deployment", (SALT, SALT, 1, [GROUP], []), "1 groups with 0 deposits"),
        ("Exchange", "update_deployment", (SALT, SALT, [], [], []), f"manifest 0x{SALT.hex()} (hash of what its"),
        ("Exchange", "withdraw", (WALLET, ONE), f"calls withdraw of the exchange {MARKET.exchange}"),
        ("ERC20", "approve", (STRANGER, 1), f"calls approve of the token {MARKET.token}"),
    ],
)
def test_j01_prompts__unusual_arguments__are_told_as_they_are(contract, function, arguments, words):
    assert words in shown(make_call(contract, function, *arguments))


def test_j01_prompts__what_the_run_knows_of_orders__stands_beside_what_is_signed():
    deployment, *rest = KEY
    order = terms.order_id(OrderKey(DeploymentId(deployment), *rest))
    names = replace(NAMES, known={order: "group dock: 1 MOOR", deployment: "listed above"})

    def lines(function, *arguments):
        return words_for(MARKET, names, make_call("Exchange", function, *arguments))

    update = lines("update_deployment", deployment, SALT, [], [], [KEY])
    assert update[1] == "listed above"
    ended = next(number for number, line in enumerate(update) if line.startswith("end order or lease"))
    assert update[ended + 1] == "  group dock: 1 MOOR"
    assert "  group dock: 1 MOOR" in lines("close_deployment", deployment, [KEY])
    funded = lines("fund", KEY, 1)
    assert funded[-2] == "group dock: 1 MOOR" and funded[-3].endswith("MOOR, which is the limit at max-price")


def test_a15_prompts__token_with_6_decimals__shows_its_own_units():
    market = replace(MARKET, parameters=replace(MARKET.parameters, token_decimals=6))
    names = names_of(market, Money("USD", 6, MARKET.seconds_per_block), WALLET)

    assert words_for(market, names, make_call("ERC20", "transfer", STRANGER, 1_500_001))[0] == "pay 1.500001 USD"


def test_a19_prompts__address__is_complete_with_its_checksum():
    for contract, function in FUNCTIONS:
        assert address_of(contract) in shown(make_call(contract, function))
    assert STRANGER in shown(make_call("ERC20", "transfer"))


def test_prompts__control_characters_of_a_stranger__do_not_reach_the_terminal():
    text = shown(make_call("ProviderRegistry", "update_provider"))

    assert "\x1b" not in text and "https://evil?[2J.example" in text and "(300 characters)" in text

"""The chain's own coin: no function of the contracts takes any, and coin that is forced on them changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa  # type: ignore[import-untyped]
import pytest
from boa.util.abi import Address  # type: ignore[import-untyped]
from eth_abi.abi import encode

from tests.bytecode import creation_code, functions
from tests.stateful.evm import create, refusal_of
from tests.tokens.callback_world import CallbackWorld, calldata
from tests.tokens.lifecycle import Lifecycle

NO_TEXT = ""
CONTRACTS = ("Exchange", "ProviderRegistry", "MoorageToken")


@pytest.fixture(scope="module")
def world() -> Iterator[CallbackWorld]:
    boa.env.enable_fast_mode()
    with boa.env.anchor():
        yield CallbackWorld()


def refusal(world: CallbackWorld, contract: Address, data: bytes, value: int) -> str | None:
    """Return what a call with coin, of somebody who has it, is refused with."""
    with boa.env.anchor():
        boa.env.set_balance(world.actor, 1)
        result = boa.env.execute_code(to_address=contract, sender=world.actor, data=data, value=value)
        assert boa.env.get_balance(contract) == (0 if result.is_error else value)
    return refusal_of(result)


def calls(world: CallbackWorld, contract: str) -> dict[str, bytes]:
    """Return a call of each function, in a form in which it does something or is refused with a text."""
    examples = {"address": world.actor, "uint256": 1, "uint8": 27, "bytes32": bytes(32)}
    prepared = {"Exchange": world.transactions | world.views(), "ProviderRegistry": world.registrations}
    known = prepared.get(contract, {})
    return {
        each["name"]: known.get(each["name"]) or calldata(each, [examples[item["type"]] for item in each["inputs"]])
        for each in functions(contract)
    }


def address_of(world: CallbackWorld, contract: str) -> Address:
    if contract == "MoorageToken":
        return create(contract, ["uint256"], [10**18])
    return world.market.exchange if contract == "Exchange" else world.market.registry


@pytest.mark.parametrize("contract", CONTRACTS)
def test_b21_functions__called_with_coin__refuse_it(world: CallbackWorld, contract: str) -> None:
    target = address_of(world, contract)
    prepared = calls(world, contract)

    without_coin = {name: refusal(world, target, data, 0) for name, data in prepared.items()}
    with_coin = {name: refusal(world, target, data, 1) for name, data in prepared.items()}

    assert len(prepared) > 10
    assert NO_TEXT not in without_coin.values()
    assert with_coin == dict.fromkeys(prepared, NO_TEXT)


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("data", [b"", b"\0", bytes(4), bytes.fromhex("deadbeef"), bytes(68)])
def test_b21_contract__sent_coin_without_a_function__refuses_it(
    world: CallbackWorld, contract: str, data: bytes
) -> None:
    target = address_of(world, contract)

    assert [refusal(world, target, data, value) for value in (0, 1)] == [NO_TEXT, NO_TEXT]


@pytest.mark.parametrize(
    ("contract", "types"),
    [
        ("Exchange", ["address", "address", *5 * ["uint256"]]),
        ("ProviderRegistry", ["uint256"]),
        ("MoorageToken", ["uint256"]),
    ],
)
def test_b21_contract__created_with_coin__refuses_it(world: CallbackWorld, contract: str, types: list[str]) -> None:
    parameters: list[Any] = [10, 0, 0, 1, 1]
    arguments = [world.market.token, world.market.registry, *parameters] if contract == "Exchange" else [1]
    boa.env.set_balance(boa.env.eoa, 1)

    results = [
        boa.env.deploy(bytecode=creation_code(contract) + encode(types, arguments), value=value)[1] for value in (0, 1)
    ]

    assert [refusal_of(result) for result in results] == [None, NO_TEXT]


def test_b21_lifecycle__coin_forced_on_the_exchange__changes_nothing() -> None:
    life = Lifecycle()
    boa.env.set_balance(life.market.exchange, 10**18)

    life.live()

    assert boa.env.get_balance(life.market.exchange) == 10**18

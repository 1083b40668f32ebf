"""What the deploy script sends, and what is on chain afterwards, is what the compiler makes of the sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brownie
import pytest
from eth_abi import encode

from scripts import deploy
from tests.bytecode import SHIPPED_LEVEL, creation_code

CONTRACTS = {"Exchange": "Exchange", "ProviderRegistry": "ProviderRegistry", "Token": "MoorageToken"}
"""As the result file names them -> as the project does."""

FIXED = {
    "reconfirmation_period_blocks": 100,
    "collateral_interest_rate": 10**9,
    "facilitator_tip": 10**15,
    "closing_grace_blocks": 50,
    "max_fulfillments": 32,
}


@pytest.fixture
def deployed(write_parameters: Callable[..., Path]) -> dict[str, str]:
    """Addresses of the contracts that the script has just deployed."""
    write_parameters()
    result = json.loads(deploy.deploy_market().read_text())
    return {CONTRACTS[name]: entry["address"] for name, entry in result["contracts"].items()}


def creations() -> Iterator[tuple[str, bytes]]:
    """Yield address and data of each transaction that made a contract, the newest first."""
    for number in range(brownie.web3.eth.block_number, 0, -1):
        for transaction in brownie.web3.eth.get_block(number, full_transactions=True)["transactions"]:
            if transaction.get("to") is None:
                receipt = brownie.web3.eth.get_transaction_receipt(transaction["hash"])
                yield receipt["contractAddress"], bytes(transaction["input"])


def constructor_arguments(deployed: dict[str, str]) -> dict[str, bytes]:
    market = [deployed["MoorageToken"], deployed["ProviderRegistry"], *FIXED.values()]
    return {
        "Exchange": encode(["address", "address", *5 * ["uint256"]], market),
        "ProviderRegistry": encode(["uint256"], [10]),
        "MoorageToken": encode(["uint256"], [10**24]),
    }


def immutables(deployed: dict[str, str]) -> dict[str, bytes]:
    """Return what stands behind the code on chain: words in the order of their declaration."""
    token, registry = deployed["MoorageToken"], deployed["ProviderRegistry"]
    scale = 1
    return {
        "Exchange": encode(["address", "address", *6 * ["uint256"]], [token, registry, scale, *FIXED.values()]),
        "ProviderRegistry": encode(["uint256"], [10]),
        "MoorageToken": b"",
    }


@pytest.mark.parametrize("contract", CONTRACTS.values())
def test_f17_brownie__its_build__is_that_of_the_compiler_alone(contract: str) -> None:
    build = brownie.project.get_loaded_projects()[0][contract]

    assert build.bytecode.removeprefix("0x") == creation_code(contract, SHIPPED_LEVEL).hex()


def test_f17_deploy_market__what_it_sends__is_the_compilers_code_and_the_arguments(deployed: dict[str, str]) -> None:
    arguments = constructor_arguments(deployed)

    sent = dict(creations())

    for contract, address in deployed.items():
        assert sent[address] == creation_code(contract, SHIPPED_LEVEL) + arguments[contract], contract


def test_f17_deploy_market__code_on_chain_without_its_immutables__is_the_compilers(deployed: dict[str, str]) -> None:
    for contract, address in deployed.items():
        build: dict[str, Any] = brownie.project.get_loaded_projects()[0][contract]._build
        compiled = bytes.fromhex(build["deployedBytecode"].removeprefix("0x"))

        assert len(compiled) > 1_000
        assert bytes(brownie.web3.eth.get_code(address)) == compiled + immutables(deployed)[contract], contract

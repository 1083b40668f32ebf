"""The deploy script on Brownie's own chain: what it deploys, writes, and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brownie
import pytest
from eth_utils.crypto import keccak

from scripts import deploy
from scripts.deployment import DeploymentRefused
from scripts.deployment.contracts import Contracts
from scripts.deployment.result import sources_hash
from tests.contracts.deploy.conftest import quoted

FIXED = {
    "reconfirmation_period_blocks": 100,
    "collateral_interest_rate": 10**9,
    "facilitator_tip": 10**15,
    "closing_grace_blocks": 50,
    "max_fulfillments": 32,
}

HINT = "set MOORAGE_REDEPLOY=1 to deploy another in its place"


def code_hash_at(address: str) -> str:
    return "0x" + keccak(brownie.web3.eth.get_code(address)).hex()


def deployed() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(deploy.deploy_market().read_text())
    return result


def refusal() -> str:
    with pytest.raises(DeploymentRefused) as it:
        deploy.deploy_market()
    return str(it.value)


def test_deploy_market__all_new__writes_what_is_on_chain(write_parameters: Callable[..., Path], accounts: Any) -> None:
    write_parameters()
    first_block = brownie.web3.eth.block_number + 1

    result = deployed()

    contracts = result.pop("contracts")
    assert result == {
        "chain_id": 31337,
        "seconds_per_block": 1,
        "block": first_block,
        "parameters": FIXED | {"root_delay_blocks": 10},
        "compiler": "0.4.3",
        "sources_hash": sources_hash(),
    }
    exchange = brownie.Exchange.at(contracts["Exchange"]["address"])
    parameters = exchange.market_parameters().dict()
    assert parameters["provider_registry"] == contracts["ProviderRegistry"]["address"]
    assert parameters["settlement_token"] == contracts["Token"]["address"]
    assert {name: parameters[name] for name in FIXED} == FIXED
    assert brownie.MoorageToken.at(contracts["Token"]["address"]).balanceOf(accounts[0]) == 10**24
    assert (contracts["Token"].pop("decimals"), contracts["Token"].pop("symbol")) == (18, "MOOR")
    for entry in contracts.values():
        assert entry == {"address": entry["address"], "code_hash": code_hash_at(entry["address"])}
    assert list(contracts) == ["Exchange", "ProviderRegistry", "Token"]


def test_deploy_market__twice_on_a_local_chain__describes_the_second(write_parameters: Callable[..., Path]) -> None:
    write_parameters()
    first = deployed()

    second = deployed()

    assert first["contracts"]["Exchange"]["address"] != second["contracts"]["Exchange"]["address"]
    assert first["contracts"]["Exchange"]["code_hash"] != second["contracts"]["Exchange"]["code_hash"]  # immutables


def test_deploy_market__existing_token_and_registry__are_used(
    write_parameters: Callable[..., Path], accounts: Any
) -> None:
    token = brownie.NoReturnToken.deploy(10**12, 6, {"from": accounts[0]})
    registry = brownie.ProviderRegistry.deploy(77, {"from": accounts[1]})
    height = brownie.web3.eth.block_number
    changes = {"token": quoted(token), "token_supply": None, "registry": quoted(registry), "root_delay_blocks": None}
    write_parameters(**changes, registry_block=registry.tx.block_number, seconds_per_block="0.25")

    result = deployed()

    assert brownie.web3.eth.block_number == height + 1
    assert result["block"] == registry.tx.block_number
    assert result["seconds_per_block"] == "0.25"
    assert result["parameters"]["root_delay_blocks"] == 77
    assert result["contracts"]["ProviderRegistry"]["address"] == registry
    assert result["contracts"]["Token"] == {
        "address": token,
        "code_hash": code_hash_at(token.address),
        "decimals": 6,
        "symbol": "TEST",
    }
    assert brownie.Exchange.at(result["contracts"]["Exchange"]["address"]).market_parameters()["ledger_scale"] == 10**12


def test_deploy_market__holder_named__the_probe_moves_its_tokens(
    write_parameters: Callable[..., Path], accounts: Any
) -> None:
    token = brownie.FeeOnTransferToken.deploy(10**24, 18, {"from": accounts[5]})
    write_parameters(token=quoted(token), token_supply=None, token_holder=quoted(accounts[5]))
    height = brownie.web3.eth.block_number

    assert refusal() == f"token {token}: refused: probe: transferFrom moves less"
    assert brownie.web3.eth.block_number == height


def test_deploy_market__registry_of_other_code__is_refused(
    write_parameters: Callable[..., Path], accounts: Any
) -> None:
    other = brownie.StandardToken.deploy(1, 18, {"from": accounts[0]})
    write_parameters(registry=quoted(other), root_delay_blocks=None, registry_block=0)

    assert refusal() == f"ProviderRegistry {other}: the contract has other code than ours"


def test_deploy_market__registry_without_code__is_refused(write_parameters: Callable[..., Path], accounts: Any) -> None:
    write_parameters(registry=quoted(accounts[9]), root_delay_blocks=None, registry_block=0)

    assert refusal() == f"ProviderRegistry {accounts[9]}: there is no contract on chain 31337"


def test_deploy_market__registry_block_in_the_future__is_refused(
    write_parameters: Callable[..., Path], accounts: Any
) -> None:
    registry = brownie.ProviderRegistry.deploy(0, {"from": accounts[0]})
    write_parameters(registry=quoted(registry), root_delay_blocks=None, registry_block=10**6)

    assert refusal() == "registry_block = 1000000: the chain is not that high yet"


def test_deploy_market__chain_has_a_market__is_refused_before_anything_is_sent(
    write_parameters: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parameters()
    deployed()
    height = brownie.web3.eth.block_number
    monkeypatch.setattr("scripts.deployment.result.LOCAL_CHAINS", set())

    assert refusal().endswith("31337.json exists: chain 31337 has a market; " + HINT)
    assert brownie.web3.eth.block_number == height


def test_deploy_market__chain_may_have_another_market__is_replaced(
    write_parameters: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parameters()
    first = deployed()
    monkeypatch.setattr("scripts.deployment.result.LOCAL_CHAINS", set())
    monkeypatch.setenv("MOORAGE_REDEPLOY", "1")

    assert deployed()["block"] == first["block"] + 3


def test_contracts__deployer_without_coins_on_a_live_chain__is_refused() -> None:
    account = brownie.accounts.add()

    with pytest.raises(DeploymentRefused, match=f"^deployer {account.address} has no coins for gas on chain 31337$"):
        Contracts(account, is_live=True)


def test_deploy_market__file_for_another_chain__is_refused(write_parameters: Callable[..., Path]) -> None:
    path = write_parameters(chain_id=1)

    assert refusal() == f"{path}: chain_id = 1: but the node is on chain 31337"


def test_deploy_market__no_file_named__is_that_of_the_network(
    write_parameters: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOORAGE_PARAMETERS")

    assert deployed()["parameters"] == FIXED | {"root_delay_blocks": 10}  # those of deploy/development.toml


def test_main__refused__ends_with_one_line(write_parameters: Callable[..., Path]) -> None:
    path = write_parameters(max_fulfillments=33)

    with pytest.raises(SystemExit) as end:
        deploy.main()

    assert end.value.code == f"deploy: {path}: max_fulfillments = 33: must be a whole number from 1 to 32"

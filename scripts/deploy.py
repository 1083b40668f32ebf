"""Deploys a market: `brownie run deploy --network NAME`, with the parameters of deploy/NAME.toml.

Environment: MOORAGE_PARAMETERS (another file), DEPLOYER_ID and DEPLOYER_PASSWORD or DEPLOYER_KEY (who pays),
MOORAGE_REDEPLOY=1 (replace the market of a chain), MOORAGE_DEPLOYMENTS (folder of the result, deployments/).
"""

import os
import sys
from pathlib import Path
from typing import Any

from brownie import network, web3
from brownie._config import CONFIG

from scripts.deployment import DeploymentRefused
from scripts.deployment.contracts import Contracts, code_entry
from scripts.deployment.deployer import deployer
from scripts.deployment.evm import check_evm
from scripts.deployment.parameters import DEPLOY, Parameters, read_parameters
from scripts.deployment.result import ROOT, json_number, result_path, sources_hash, write_result
from scripts.deployment.token import TokenFacts, probe_token

# Of the exchange's constructor, in its order.
FIXED = (
    "reconfirmation_period_blocks",
    "collateral_interest_rate",
    "facilitator_tip",
    "closing_grace_blocks",
    "max_fulfillments",
)


def main() -> None:
    """Deploy, or say in one line why not."""
    try:
        path = deploy_market()
    except DeploymentRefused as error:
        sys.exit(f"deploy: {error}")
    print(f"\nThe market is described in {path}")


def deploy_market() -> Path:
    """Check all that can be checked, deploy, and write the result.

    Returns:
        The file with the result.

    Raises:
        DeploymentRefused: no result was written; contracts that were deployed until then are printed above.
    """
    file = Path(os.environ.get("MOORAGE_PARAMETERS") or ROOT / "deploy" / f"{network.show_active()}.toml")
    parameters = read_parameters(file)
    chain_id = web3.eth.chain_id
    if parameters.chain_id not in (None, chain_id):
        raise DeploymentRefused(f"{file}: chain_id = {parameters.chain_id}: but the node is on chain {chain_id}")
    path = result_path(chain_id, os.environ.get("MOORAGE_DEPLOYMENTS"), os.environ.get("MOORAGE_REDEPLOY") == "1")
    check_evm(web3)

    is_live = CONFIG.network_type == "live"
    account = deployer(is_development=not is_live)
    contracts = Contracts(account, is_live)
    token, facts = _token(parameters, contracts, account.address)
    registry = _registry(parameters, contracts)
    fixed = {name: getattr(parameters, name) for name in FIXED}
    exchange = contracts.deploy("Exchange", token, registry, *fixed.values())
    _check_exchange(exchange, fixed | {"settlement_token": token, "provider_registry": registry.address})

    blocks = [contracts.first_block, *([] if parameters.registry_block is None else [parameters.registry_block])]
    write_result(
        path,
        {
            "chain_id": chain_id,
            "seconds_per_block": json_number(parameters.seconds_per_block),
            "block": min(blocks),
            "contracts": {
                "Exchange": code_entry(exchange.address),
                "ProviderRegistry": code_entry(registry.address),
                "Token": code_entry(token) | {"decimals": facts.decimals, "symbol": facts.symbol},
            },
            "parameters": fixed | {"root_delay_blocks": registry.root_delay_blocks()},
            "compiler": contracts.compiler(),
            "sources_hash": sources_hash(),
        },
    )
    return path


def _token(parameters: Parameters, contracts: Contracts, account: str) -> tuple[str, TokenFacts]:
    """Deploy a token or take the given one; return its address and what the probe found."""
    is_new = parameters.token == DEPLOY
    address = contracts.deploy("MoorageToken", parameters.token_supply).address if is_new else parameters.token
    facts = probe_token(web3, address, parameters.token_holder or account, contracts.runtime_code("TokenProbe"))
    for warning in facts.warnings:
        print(f"WARNING: token {address} {warning}")
    return address, facts


def _registry(parameters: Parameters, contracts: Contracts) -> Any:
    """Deploy a registry or take the given one."""
    if parameters.registry == DEPLOY:
        return contracts.deploy("ProviderRegistry", parameters.root_delay_blocks)
    if (parameters.registry_block or 0) > web3.eth.block_number:
        raise DeploymentRefused(f"registry_block = {parameters.registry_block}: the chain is not that high yet")
    return contracts.at("ProviderRegistry", parameters.registry)


def _check_exchange(exchange: Any, expected: dict[str, Any]) -> None:
    """Compare what is on chain with what was asked for.

    Raises:
        DeploymentRefused: they differ.
    """
    found = exchange.market_parameters().dict()
    for name, value in expected.items():
        if found[name] != value:
            raise DeploymentRefused(f"exchange {exchange.address}: {name} is {found[name]} on chain, not {value}")

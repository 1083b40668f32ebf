"""Sends the transactions of a deployment through Brownie, and reads back what is on chain."""

from typing import Any

from brownie import project, web3
from eth_utils.crypto import keccak

from scripts.deployment import DeploymentRefused


class Contracts:
    """The contracts of the loaded project, deployed by one account."""

    def __init__(self, account: Any, is_live: bool) -> None:
        """Make ready for deploying; forget contracts of a chain that is gone."""
        (self._project,) = project.get_loaded_projects()
        self._transaction = {"from": account}
        self._blocks: list[int] = []
        if is_live:
            if account.balance() == 0:
                raise DeploymentRefused(f"deployer {account.address} has no coins for gas on chain {web3.eth.chain_id}")
            self._transaction |= _fees()
            self._forget_vanished()

    @property
    def first_block(self) -> int:
        """The block of the first contract that was deployed here."""
        return min(self._blocks)

    def runtime_code(self, name: str) -> str:
        """Return the code of a contract as compiled, in hex; on chain, immutables follow it."""
        return "0x" + str(self._project[name]._build["deployedBytecode"]).removeprefix("0x")

    def deploy(self, name: str, *arguments: Any) -> Any:
        """Deploy a contract and return Brownie's object for it."""
        contract = self._project[name].deploy(*arguments, self._transaction)
        self._blocks.append(contract.tx.block_number)
        return contract

    def at(self, name: str, address: str) -> Any:
        """Return the contract at an address.

        Raises:
            DeploymentRefused: there is none, or one with other code than ours.
        """
        code = web3.eth.get_code(address)
        if not code:
            raise DeploymentRefused(f"{name} {address}: there is no contract on chain {web3.eth.chain_id}")
        if not code.to_0x_hex().startswith(self.runtime_code(name)):
            raise DeploymentRefused(f"{name} {address}: the contract has other code than ours")
        return self._project[name].at(address)

    def compiler(self) -> str:
        """Return the version of the compiler that made the exchange."""
        return str(self._project["Exchange"]._build["compiler"]["version"])

    def _forget_vanished(self) -> None:
        """Drop what Brownie remembers at addresses that have no code.

        Brownie keeps contracts in build/deployments/<chain id>. A local chain that started anew has the same id and
        gives the same addresses again: Brownie would take what we deploy for what it remembers.
        """
        for container in self._project:
            for contract in list(container):
                if not web3.eth.get_code(contract.address):
                    container.remove(contract)


def code_entry(address: str) -> dict[str, str]:
    """Return address and keccak256 of the code there, as the result file has them."""
    return {"address": address, "code_hash": "0x" + keccak(web3.eth.get_code(address)).hex()}


def _fees() -> dict[str, int]:
    """Return fees that hold while the base fee doubles, or nothing on a chain without a base fee (EIP-1559)."""
    base_fee = web3.eth.get_block("latest").get("baseFeePerGas")
    if base_fee is None:
        return {}
    priority_fee = web3.eth.max_priority_fee
    return {"max_fee": 2 * base_fee + priority_fee, "priority_fee": priority_fee}

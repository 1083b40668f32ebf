"""The deploy script as it is run for a live chain: `brownie run`, in a copy of the project, against a chain of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from eth_account import Account
from eth_utils import keccak
from web3 import Web3

from scripts.deployment.result import ROOT
from tests.contracts.deploy.chains import anvil, free_port

CHAIN_ID = 4242
NETWORK = "harbour"
KEY = "0x" + "5e" * 32
PARTS = ["brownie-config.yaml", "brownie_hooks.py", "contracts", "interfaces", "scripts", "deploy", "build/contracts"]


class Copy:
    """A copy of the project with a home of Brownie's own, in which the network is defined."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.home = folder / "home"
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            (folder / part).parent.mkdir(exist_ok=True)
            copy(ROOT / part, folder / part)
        (self.home / ".brownie").mkdir(parents=True)
        network = {
            "id": NETWORK,
            "name": "Harbour",
            "chainid": CHAIN_ID,
            "host": f"http://127.0.0.1:{port}",
            "timeout": 30,
        }
        networks = {"live": [{"name": "Moorage", "networks": [network]}], "development": []}
        (self.home / ".brownie" / "network-config.yaml").write_text(yaml.safe_dump(networks))
        shutil.copy(ROOT / "deploy" / "demo.toml", folder / "deploy" / f"{NETWORK}.toml")

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.folder / "deployments" / f"{CHAIN_ID}.json").read_text())
        return result

    def deploy(self, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEPLOYER", "MOORAGE"))}
        return subprocess.run(
            ["brownie", "run", "deploy", "--network", NETWORK],
            cwd=self.folder,
            env=kept | variables | {"HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture
def chain(port: int) -> Iterator[Web3]:
    """A live chain whose accounts are unlocked, as on a local node, and on which the deployer has coins."""
    with anvil("--chain-id", str(CHAIN_ID), port=port) as url:
        web3 = Web3(Web3.HTTPProvider(url))
        web3.provider.make_request("anvil_setBalance", [Account.from_key(KEY).address, hex(10**20)])  # type: ignore[arg-type]
        yield web3


@pytest.fixture
def project(tmp_path: Path, port: int) -> Copy:
    return Copy(tmp_path, port)


def check(result: dict[str, Any], chain: Web3) -> None:
    """Compare a result with the chain."""
    assert result["chain_id"] == CHAIN_ID
    assert result["parameters"]["reconfirmation_period_blocks"] == 15
    for entry in result["contracts"].values():
        code = chain.eth.get_code(entry["address"])
        assert len(code) > 1_000
        assert entry["code_hash"] == "0x" + keccak(code).hex()


def test_deploy__with_a_key_then_again__one_market_for_a_chain(project: Copy, chain: Web3) -> None:
    run = project.deploy(DEPLOYER_KEY=KEY)

    assert run.returncode == 0, run.stdout + run.stderr
    check(project.result, chain)
    assert project.result["block"] == 1
    assert {chain.eth.get_block(height, True)["transactions"][0]["from"] for height in (1, 2, 3)} == {
        Account.from_key(KEY).address
    }
    assert chain.eth.block_number == 3
    assert KEY[2:] not in run.stdout + run.stderr

    again = project.deploy(DEPLOYER_KEY=KEY)

    assert again.returncode == 1
    assert f"{CHAIN_ID}.json exists: chain {CHAIN_ID} has a market; set MOORAGE_REDEPLOY=1" in again.stderr
    assert chain.eth.block_number == 3


def test_deploy__chain_started_anew_under_the_same_id__describes_the_new_one(
    project: Copy, port: int, chain: Web3
) -> None:
    """Brownie remembers the contracts of the chain before, at the addresses that the new ones get."""
    assert project.deploy(DEPLOYER_KEY=KEY).returncode == 0
    before = project.result
    chain.provider.make_request("anvil_reset", [])  # type: ignore[arg-type]
    chain.provider.make_request("anvil_setBalance", [Account.from_key(KEY).address, hex(10**20)])  # type: ignore[arg-type]
    chain.provider.make_request("anvil_mine", ["0x5"])  # type: ignore[arg-type]

    run = project.deploy(DEPLOYER_KEY=KEY, MOORAGE_REDEPLOY="1")

    assert run.returncode == 0, run.stdout + run.stderr
    check(project.result, chain)
    assert project.result == before | {"block": 6}


def test_deploy__with_a_key_file__pays_from_it(project: Copy, chain: Web3) -> None:
    keystore = project.home / ".brownie" / "accounts" / "cold.json"
    keystore.parent.mkdir()
    keystore.write_text(json.dumps(Account.encrypt(KEY, "open sesame", kdf="pbkdf2", iterations=2)))

    run = project.deploy(DEPLOYER_ID="cold", DEPLOYER_PASSWORD="open sesame")

    assert run.returncode == 0, run.stdout + run.stderr
    check(project.result, chain)
    assert chain.eth.get_transaction_count(Account.from_key(KEY).address) == 3


def test_deploy__unlocked_accounts_of_the_node__are_not_touched(project: Copy, chain: Web3) -> None:
    run = project.deploy()

    assert run.returncode == 1
    assert "deploy: no deployer: set DEPLOYER_ID" in run.stderr
    assert chain.eth.block_number == 0
    assert not (project.folder / "deployments").exists()


def test_deploy__deployer_without_coins__is_refused(project: Copy, chain: Web3) -> None:
    poor = "0x" + "77" * 32

    run = project.deploy(DEPLOYER_KEY=poor)

    assert run.returncode == 1
    assert f"deploy: deployer {Account.from_key(poor).address} has no coins for gas on chain {CHAIN_ID}" in run.stderr

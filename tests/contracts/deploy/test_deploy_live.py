"""The deploy script as it is run for a live chain: by `brownie run`, in a copy of the project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brownie
import pytest
import yaml
from eth_account import Account
from eth_utils.crypto import keccak
from web3 import Web3

from scripts.deployment.result import ROOT
from tests.contracts.deploy.chains import anvil

CHAIN_ID = 4242
NETWORK = "harbour"
KEY = "0x" + "5e" * 32
DEPLOYER = Account.from_key(KEY).address
PARTS = ["brownie-config.yaml", "brownie_hooks.py", "contracts", "interfaces", "scripts", "deploy", "build/contracts"]


class Copy:
    """A copy of the project with a home of Brownie's own, in which the network is defined."""

    def __init__(self, folder: Path, host: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            (folder / part).parent.mkdir(exist_ok=True)
            copy(ROOT / part, folder / part)
        (folder / "tests" / "contracts").mkdir(parents=True)
        (self.home / ".brownie").mkdir(parents=True)
        network = {
            "id": NETWORK,
            "name": "Harbour",
            "chainid": CHAIN_ID,
            "host": host,
            "timeout": 30,
        }
        networks = yaml.safe_load((Path(brownie.__file__).parent / "data" / "network-config.yaml").read_text())
        networks["live"].append({"name": "Moorage", "networks": [network]})
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


@pytest.fixture
def chain() -> Iterator[Web3]:
    """A live chain."""
    with anvil("--chain-id", str(CHAIN_ID)) as url:
        yield Web3(Web3.HTTPProvider(url))


@pytest.fixture
def project(tmp_path: Path, chain: Web3) -> Copy:
    return Copy(tmp_path, chain.provider.endpoint_uri)


def give_coins(chain: Web3) -> None:
    chain.provider.make_request("anvil_setBalance", [DEPLOYER, hex(10**20)])


def check(result: dict[str, Any], chain: Web3, first_block: int) -> None:
    """Compare a result, and who has paid for it, with the chain."""
    assert (result["chain_id"], result["block"]) == (CHAIN_ID, first_block)
    assert result["parameters"]["reconfirmation_period_blocks"] == 15
    for entry in result["contracts"].values():
        code = chain.eth.get_code(entry["address"])
        assert len(code) > 1_000
        assert entry["code_hash"] == "0x" + keccak(code).hex()
    assert chain.eth.block_number == first_block + 2
    assert chain.eth.get_transaction_count(DEPLOYER) == 3


def test_deploy__key_file_then_key_on_a_chain_started_anew__describes_what_is_there(project: Copy, chain: Web3) -> None:
    """Brownie remembers the contracts of the chain before, at the addresses that those of the new one get."""
    keystore = project.home / ".brownie" / "accounts" / "cold.json"
    keystore.parent.mkdir()
    keystore.write_text(json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), "open sesame", kdf="pbkdf2", iterations=2)))
    give_coins(chain)

    run = project.deploy(DEPLOYER_ID="cold", DEPLOYER_PASSWORD="open sesame")

    assert run.returncode == 0, run.stdout + run.stderr
    first = project.result
    check(first, chain, first_block=1)

    chain.provider.make_request("anvil_reset", [])
    chain.provider.make_request("anvil_mine", ["0x5"])
    give_coins(chain)

    run = project.deploy(DEPLOYER_KEY=KEY, MOORAGE_REDEPLOY="1")

    assert run.returncode == 0, run.stdout + run.stderr
    assert KEY[2:] not in run.stdout + run.stderr
    check(project.result, chain, first_block=6)
    assert project.result == first | {"block": 6}

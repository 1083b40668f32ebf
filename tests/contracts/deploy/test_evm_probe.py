"""An EVM that is too old is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator

import brownie
import pytest
from web3 import Web3

from scripts.deployment import DeploymentRefused
from scripts.deployment.evm import check_evm
from tests.contracts.deploy.chains import anvil


@pytest.fixture(scope="module")
def old_chain() -> Iterator[Web3]:
    with anvil("--hardfork", "shanghai", "--chain-id", "4243") as url:
        yield Web3(Web3.HTTPProvider(url))


def test_f12_check_evm__of_our_chains__is_fine() -> None:
    check_evm(brownie.web3)


def test_f12_check_evm__before_cancun__is_refused(old_chain: Web3) -> None:
    with pytest.raises(DeploymentRefused, match=r"^chain 4243 is too old: the contracts need the EVM of Cancun"):
        check_evm(old_chain)

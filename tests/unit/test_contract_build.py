"""The bytecode that is deployed: the same wherever it is compiled, and small enough for a chain."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boa  # type: ignore[import-untyped]
import pytest

from tests.bytecode import ROOT, SHIPPED_LEVEL, creation_code
from tests.stateful.evm import Market
from tests.stateful.settings import INTEREST

DEPLOYED = ("Exchange", "ProviderRegistry", "MoorageToken")
LARGEST_CODE_BYTES = 24_576  # EIP-170
LARGEST_CREATION_BYTES = 49_152  # EIP-3860
MARGIN_PERCENT = 10
ARGUMENTS_BYTES = 7 * 32  # of the constructor that has the most
IMMUTABLES_BYTES = 8 * 32  # of the exchange


@pytest.fixture(scope="module")
def code_sizes() -> dict[str, int]:
    """Bytes of each contract on a chain, its immutables included."""
    with boa.swap_env(boa.Env()):
        market = Market(INTEREST)
        token, _ = boa.env.deploy(bytecode=creation_code("MoorageToken", SHIPPED_LEVEL) + (10**18).to_bytes(32, "big"))
        addresses = {"Exchange": market.exchange, "ProviderRegistry": market.registry, "MoorageToken": token}
        return {name: len(boa.env.evm.get_code(address)) for name, address in addresses.items()}


@pytest.mark.parametrize("contract", DEPLOYED)
def test_f15_code__of_each_contract__leaves_a_tenth_of_what_a_chain_takes(
    contract: str, code_sizes: dict[str, int]
) -> None:
    assert 1_000 < code_sizes[contract] <= LARGEST_CODE_BYTES * (100 - MARGIN_PERCENT) // 100


def test_f15_documents__size_of_the_exchange__is_that_of_its_code(code_sizes: dict[str, int]) -> None:
    on_chain = code_sizes["Exchange"]
    runtime = on_chain - IMMUTABLES_BYTES
    readme = (ROOT / "contracts" / "README.md").read_text(encoding="utf-8")
    decision = (ROOT / "docs" / "decisions" / "0003-refusals-through-one-function.md").read_text(encoding="utf-8")

    assert f"{runtime:,} bytes of runtime code, on a chain {on_chain:,} with its eight immutables" in readme
    assert f"the exchange has {runtime:,}." in decision


@pytest.mark.parametrize("contract", DEPLOYED)
def test_f15_creation_code__of_each_contract__leaves_a_tenth_of_what_a_chain_takes(contract: str) -> None:
    size = len(creation_code(contract, SHIPPED_LEVEL)) + ARGUMENTS_BYTES

    assert size <= LARGEST_CREATION_BYTES * (100 - MARGIN_PERCENT) // 100


def test_f17_build__in_another_folder_by_the_compilers_own_program__gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("contracts", "interfaces"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    files = [f"contracts/{contract}.vy" for contract in DEPLOYED]

    run = subprocess.run(
        [str(Path(sys.executable).with_name("vyper")), "-f", "bytecode", "-p", ".", *files],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    built = [line.removeprefix("0x") for line in run.stdout.split()]
    assert built == [creation_code(contract, SHIPPED_LEVEL).hex() for contract in DEPLOYED]

"""What can be seen of the deployed contracts from outside: their functions, events, storage and immutables."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from vyper.cli.vyper_compile import compile_files
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
from vyper.compiler.output import build_layout_output
from vyper.compiler.phases import CompilerData

from tests.bytecode import ROOT

SNAPSHOTS = ROOT / "moorage" / "chain" / "abi"

# Where programs that read storage, and the next version of these contracts, expect each word.
SLOTS = {
    "Exchange": [
        "ledger.words",
        "deployments.words",
        "deployments.managers",
        "order_book.words",
        "order_book.fulfillments",
    ],
    "ProviderRegistry": [
        "provider_count",
        "operators",
        "owners",
        "pending_owners",
        "fingerprints",
        "root_blocks",
    ],
    "MoorageToken": ["totalSupply", "balanceOf", "allowance", "nonces"],
}
PARAMETERS = ["TOKEN", "REGISTRY", "SCALE", "PERIOD", "INTEREST_RATE", "TIP", "GRACE", "MAX_FULFILLMENTS"]

# Whatever else a transaction may be called, it is none of the specification.
TRANSACTIONS = {
    *("deposit", "deposit_with_permit", "withdraw", "withdraw_to"),
    *("submit_deployment", "update_deployment", "close_deployment", "deployment_closed", "set_manager"),
    *("submit_fulfillment", "cancel_fulfillment", "release_fulfillments"),
    *("submit_lease", "submit_lease_confirmation", "submit_stale_lease"),
    *("confirm_closed", "finish_leases", "claim", "fund"),
}


@cache
def compiler_data(contract: str) -> CompilerData:
    path = ROOT / "contracts" / f"{contract}.vy"
    file = FileInput(source_id=-1, path=path.relative_to(ROOT), resolved_path=path, contents=path.read_text())
    return CompilerData(file, input_bundle=FilesystemInputBundle([ROOT]))


def flat(layout: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a layout by their names, those of modules behind the module's."""
    entries = {}
    for name, entry in layout.items():
        if "type" in entry:
            entries[name] = entry
        else:
            entries |= {f"{name}.{variable}": inner for variable, inner in flat(entry).items()}
    return entries


def entries(abi: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in abi if entry["type"] == kind}


def by_text(abi: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(entry, sort_keys=True) for entry in abi)


def snapshot(name: str) -> list[dict[str, Any]]:
    abi: list[dict[str, Any]] = json.loads((SNAPSHOTS / f"{name}.json").read_text())
    return abi


def interface(path: Path) -> list[dict[str, Any]]:
    (output,) = compile_files([str(path)], ["abi"], paths=[str(ROOT)]).values()
    abi: list[dict[str, Any]] = output["abi"]
    return abi


@pytest.mark.parametrize("name", ["Exchange", "ProviderRegistry"])
def test_f07_f14_interface__functions_and_events__are_those_of_the_abi_in_the_repository(name: str) -> None:
    declared, kept = interface(ROOT / "interfaces" / f"I{name}.vyi"), snapshot(name)

    functions = entries(declared, "function")
    assert functions == {name: entries(kept, "function")[name] for name in functions}
    assert entries(declared, "event") == entries(kept, "event")


@pytest.mark.parametrize(
    ("name", "contract"), [("Exchange",) * 2, ("ProviderRegistry",) * 2, ("ERC20", "MoorageToken")]
)
def test_f07_f14_abi__in_the_repository__is_that_of_the_contract(name: str, contract: str) -> None:
    abi = compiler_data(contract).global_ctx.interface.to_toplevel_abi_dict()

    assert by_text(abi) == by_text(snapshot(name))


@pytest.mark.parametrize("contract", SLOTS)
def test_f14_storage__of_each_contract__is_where_it_was(contract: str) -> None:
    storage = flat(build_layout_output(compiler_data(contract))["storage_layout"])

    assert {name: entry["slot"] for name, entry in storage.items()} == {
        name: slot for slot, name in enumerate(SLOTS[contract])
    }


def test_e06_e08_exchange__all_that_can_be_written__is_maps_of_its_entities() -> None:
    layout = build_layout_output(compiler_data("Exchange"))

    assert {entry["type"].split("[")[0] for entry in flat(layout["storage_layout"]).values()} == {"HashMap"}
    assert list(flat(layout["code_layout"])) == [f"parameters.{name}" for name in PARAMETERS]
    assert list(layout["transient_storage_layout"]) == ["$.nonreentrant_key"]


def test_e06_e08_exchange__its_transactions__are_none_but_those_of_the_specification() -> None:
    functions = entries(snapshot("Exchange"), "function").values()

    assert {each["name"] for each in functions if each["stateMutability"] not in ("view", "pure")} == TRANSACTIONS


@pytest.mark.parametrize("name", ["Exchange", "ProviderRegistry", "ERC20"])
def test_b21_abi__of_each_contract__takes_no_native_coin(name: str) -> None:
    abi = snapshot(name)

    assert {entry["type"] for entry in abi} == {"event", "function"}  # no fallback
    assert "payable" not in {entry.get("stateMutability") for entry in abi}

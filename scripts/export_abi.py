"""Writes the ABIs that daemons and command line read, so that they need no compiler: `make compile`.

The files are in git. A contract test fails when they are not those of the contracts.
"""

import json
from pathlib import Path
from typing import Any

from brownie import project

FOLDER = Path(__file__).resolve().parent.parent / "moorage" / "chain" / "abi"

# file -> contract; our own token stands for every settlement token with permit
CONTRACTS = {"Exchange": "Exchange", "ProviderRegistry": "ProviderRegistry", "ERC20": "MoorageToken"}


def main() -> None:
    """Write one file for each contract that programs call."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in abi_texts().items():
        path = FOLDER / f"{name}.json"
        if not path.is_file() or path.read_text(encoding="ascii") != text:
            path.write_text(text, encoding="ascii")
            print(f"{path.relative_to(FOLDER.parent.parent.parent)} written")


def abi_texts() -> dict[str, str]:
    """Return the text of each file by its name without suffix, from the contracts of the loaded project."""
    (loaded,) = project.get_loaded_projects()
    return {name: _abi_text(loaded[contract].abi) for name, contract in CONTRACTS.items()}


def _abi_text(abi: list[dict[str, Any]]) -> str:
    """Return functions and events by name, one on each line, so that a change of one is a diff of one line."""
    entries = sorted((entry for entry in abi if entry["type"] != "constructor"), key=lambda e: (e["type"], e["name"]))
    lines = (json.dumps(entry, sort_keys=True, separators=(",", ":")) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"

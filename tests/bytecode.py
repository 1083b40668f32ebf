"""Bytecode and ABI of the contracts, compiled once for each state of the sources and kept below build/."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bytecode"


def creation_code(contract: str) -> bytes:
    """Return what creates a contract, before the encoded arguments of its constructor.

    Args:
        contract: its path below contracts/ without suffix: `Exchange`, `testing/StandardToken`.
    """
    return bytes.fromhex(_compiled(contract, "bytecode").removeprefix("0x"))


def functions(contract: str) -> list[dict[str, Any]]:
    """Return what the ABI says of a contract's functions."""
    return [entry for entry in json.loads(_compiled(contract, "abi")) if entry["type"] == "function"]


def _compiled(contract: str, output: str) -> str:
    path = CACHE / f"{contract.replace('/', '.')}-{_digest(contract)}.{output}"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        for each, text in _compile(contract).items():
            draft = path.with_suffix(f".{each}.{os.getpid()}")
            draft.write_text(text, encoding="ascii")
            draft.replace(path.with_suffix(f".{each}"))  # several test processes may come here at once
    return path.read_text(encoding="ascii")


def _compile(contract: str) -> dict[str, str]:
    from vyper.cli.vyper_compile import compile_files  # takes a second to import

    file = f"contracts/{contract}.vy"
    (result,) = compile_files([str(ROOT / file)], ["abi", "bytecode"], paths=[str(ROOT)]).values()
    return {"abi": json.dumps(result["abi"]), "bytecode": str(result["bytecode"])}


@cache
def _digest(contract: str) -> str:
    """Return a digest of all that a contract may be made of."""
    shared = [*ROOT.glob("contracts/**/_modules/*.vy"), *ROOT.glob("interfaces/*.vyi")]
    digest = hashlib.sha256()
    for path in sorted([ROOT / f"contracts/{contract}.vy", *shared]):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16]

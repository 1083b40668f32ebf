"""Bytecode and ABI of the contracts, compiled once for each state of the sources and kept below build/."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bytecode"

LEVELS = ("none", "gas", "codesize")
"""Of the compiler's optimiser."""
SHIPPED_LEVEL = "gas"
"""The compiler's default, with which the contracts are deployed."""
LEVEL = os.environ.get("VYPER_OPTIMIZE") or SHIPPED_LEVEL
"""On which the tests that ask for no other one run: `make test-optimizers` runs them on each."""

STAND_INS: dict[str, bytes] = {}
"""What is deployed in place of contracts: mutants, to see whether the tests notice."""
asked_for: set[str] = set()
"""The contracts of which somebody has had the code."""


def creation_code(contract: str, level: str = LEVEL) -> bytes:
    """Return what creates a contract, before the encoded arguments of its constructor.

    Args:
        contract: its path below contracts/ without suffix: `Exchange`, `testing/StandardToken`.
        level: of the optimiser.
    """
    asked_for.add(contract)
    if contract in STAND_INS:
        return STAND_INS[contract]
    return bytes.fromhex(_compiled(contract, "bytecode", level).removeprefix("0x"))


def abi(contract: str) -> list[dict[str, Any]]:
    """Return the entries of a contract's ABI."""
    entries: list[dict[str, Any]] = json.loads(_compiled(contract, "abi", LEVEL))
    return entries


def functions(contract: str) -> list[dict[str, Any]]:
    """Return what the ABI says of a contract's functions."""
    return [entry for entry in abi(contract) if entry["type"] == "function"]


def _compiled(contract: str, output: str, level: str) -> str:
    if level not in LEVELS:
        raise ValueError(f"{level}: no level of the optimiser; there are {', '.join(LEVELS)}")
    path = CACHE / f"{contract.replace('/', '.')}-{level}-{_digest(contract)}.{output}"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        for each, text in _compile(contract, level).items():
            draft = path.with_suffix(f".{each}.{os.getpid()}")
            draft.write_text(text, encoding="ascii")
            draft.replace(path.with_suffix(f".{each}"))  # several test processes may come here at once
    return path.read_text(encoding="ascii")


@contextmanager
def any_code_size() -> Iterator[None]:
    """Let the EVM of this process take contracts of any size: not optimised, the exchange is too large for a chain."""
    from eth.vm.forks.spurious_dragon import computation as eip_170

    limit = eip_170.EIP170_CODE_SIZE_LIMIT
    eip_170.EIP170_CODE_SIZE_LIMIT = 2**20
    try:
        yield
    finally:
        eip_170.EIP170_CODE_SIZE_LIMIT = limit


def _compile(contract: str, level: str) -> dict[str, str]:
    from vyper.cli.vyper_compile import compile_files  # takes a second to import
    from vyper.compiler.settings import OptimizationLevel, Settings

    settings = Settings(optimize=OptimizationLevel.from_string(level))
    file = f"contracts/{contract}.vy"
    (result,) = compile_files([str(ROOT / file)], ["abi", "bytecode"], paths=[str(ROOT)], settings=settings).values()
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

"""Bytecode of the contracts, compiled once for each state of the sources and kept below build/."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bytecode"


def creation_code(contract: str) -> bytes:
    """Return what creates a contract, before the encoded arguments of its constructor.

    Args:
        contract: its path below contracts/ without suffix: `Exchange`, `testing/StandardToken`.
    """
    path = CACHE / f"{contract.replace('/', '.')}-{_digest(contract)}.hex"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(_compile(contract), encoding="ascii")
        draft.replace(path)  # several test processes may come here at once
    return bytes.fromhex(path.read_text(encoding="ascii"))


def _compile(contract: str) -> str:
    from vyper.cli.vyper_compile import compile_files  # takes a second to import

    file = f"contracts/{contract}.vy"
    (output,) = compile_files([str(ROOT / file)], ["bytecode"], paths=[str(ROOT)]).values()
    return str(output["bytecode"]).removeprefix("0x")


@cache
def _digest(contract: str) -> str:
    """Return a digest of all that a contract may be made of."""
    shared = [*ROOT.glob("contracts/**/_modules/*.vy"), *ROOT.glob("interfaces/*.vyi")]
    digest = hashlib.sha256()
    for path in sorted([ROOT / f"contracts/{contract}.vy", *shared]):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16]

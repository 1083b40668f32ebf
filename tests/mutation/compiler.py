"""Compiles the exchange with one source changed; what it has compiled once is kept below build/."""

from __future__ import annotations

import gc
import hashlib
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import vyper
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
from vyper.compiler.phases import CompilerData

from tests.mutation import faster_compiler
from tests.mutation.sources import ROOT

EXCHANGE = "contracts/Exchange.vy"
CACHE = ROOT / "build" / "mutation" / "compiled"


def compiled(path: str = "", text: str = "") -> bytes | None:
    """Return what creates the exchange if one source had this text; nothing if it does not compile.

    There is no digest of the sources in it, so that equal code is equal.
    """
    file = CACHE / f"{_digest(path, text)}.hex"
    if not file.is_file():
        code = compile_anew(path, text)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text("" if code is None else code.hex(), encoding="ascii")
        draft.replace(file)
    found = file.read_text(encoding="ascii")
    return bytes.fromhex(found) if found else None


def warm_up() -> None:
    """Compile the contract as it is, so that children have what is the same in a mutant.

    It changes the compiler of this process, which has to be one for mutants alone.
    """
    faster_compiler.install()
    compile_anew("", "")
    faster_compiler.parse_ahead()


def is_compiled(path: str, text: str) -> bool:
    """Return whether the compiler need not be asked any more."""
    return (CACHE / f"{_digest(path, text)}.hex").is_file()


class _Sources(FilesystemInputBundle):  # type: ignore[misc]
    """The sources of the project, one of them with another text."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__([ROOT])
        self._changed = ROOT / path
        self._text = text

    def _load_from_path(self, resolved_path: Path, original_path: Any) -> FileInput:
        found = super()._load_from_path(resolved_path, original_path)
        return replace(found, contents=self._text) if resolved_path == self._changed else found


def compile_anew(path: str, text: str) -> bytes | None:
    """Return what creates the exchange if one source had this text, without a look at what is kept."""
    sources = _Sources(path, text)
    gc.disable()  # a fifth of the time; what compiles is a child that ends soon
    try:
        data = CompilerData(sources.load_file(ROOT / EXCHANGE), input_bundle=sources, no_bytecode_metadata=True)
        return bytes(data.bytecode)
    except Exception:  # the compiler has many ways to say no, some of them its own faults
        return None
    finally:
        gc.enable()


def _digest(path: str, text: str) -> str:
    digest = hashlib.sha256(f"{digest_of_sources()} {path}\0".encode())
    digest.update(text.encode())
    return digest.hexdigest()[:32]


@cache
def digest_of_sources() -> str:
    """Return a digest of all that the exchange is made of, and of the compiler."""
    digest = hashlib.sha256(vyper.__long_version__.encode())
    for path in sorted([*ROOT.glob("contracts/_modules/*.vy"), ROOT / EXCHANGE, *ROOT.glob("interfaces/*.vyi")]):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()

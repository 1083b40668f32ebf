"""Makes Brownie 1.22.2 build Vyper 0.4.3 contracts that are split into modules.

Brownie imports this file from the project's root before it reads a source, and passes each source through
`brownie_load_source`. Everything else is set right at the one function of Vyper that Brownie calls, `compile_json`:
what it is given (modules and interfaces) and what it returns (source maps).

Not for production: nothing here is shipped or imported outside of Brownie.
"""

import atexit
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from brownie._config import CONFIG
from vyper.cli import vyper_json

ROOT = Path(__file__).resolve().parent

# Follows the text of each contract on its way through Brownie; the compiler never sees it.
STAMP = "\n# imports: sha256 "

# Where a row of a source map has no place in the main file.
NOWHERE = "-1:-1:-1:-"

PUSH1, PUSH32 = 0x60, 0x7F

_vyper_compile_json = vyper_json.compile_json


# ---------------------------------------------------------------------------------------------- what goes in


def _importable() -> Iterator[tuple[str, str]]:
    """Yield (path in the project, text) of each file that contracts import and that is never compiled alone.

    These are the interfaces and the modules below a folder whose name starts with an underscore: Brownie passes
    over such folders, and would fail on a module with `uses:` if it built it as a contract.
    """
    for path in sorted([*ROOT.glob("contracts/**/*.vy*"), *ROOT.glob("interfaces/**/*.vyi")]):
        relative = path.relative_to(ROOT)
        if path.suffix == ".vyi" or any(part.startswith("_") for part in relative.parts):
            yield relative.as_posix(), path.read_text(encoding="ascii")


def _imports_stamp() -> str:
    digest = hashlib.sha256()
    for path, text in _importable():
        digest.update(f"{path}\0{len(text)}\0{text}".encode())
    return STAMP + digest.hexdigest() + "\n"


def brownie_load_source(path: Path, source: str) -> str:
    """Stamp a contract with the digest of all importable files.

    Brownie compiles again only what has changed in its own text; with the stamp, a changed module is a change of
    every contract.
    """
    return source + _imports_stamp() if path.suffix == ".vy" else source


def _with_imports(request: dict[str, Any]) -> dict[str, Any]:
    """Return a standard JSON request with the importable files added as sources, but not as targets.

    Brownie sends only the contracts that changed and asks for the output of every source. The request is copied:
    Brownie goes on using its own.
    """
    targets = {
        path: {**entry, "content": entry["content"].split(STAMP)[0]} for path, entry in request["sources"].items()
    }
    outputs = request["settings"]["outputSelection"]["*"]
    return {
        **request,
        "sources": {path: {"content": text} for path, text in _importable()} | targets,
        "settings": {**request["settings"], "outputSelection": dict.fromkeys(targets, outputs)},
    }


# --------------------------------------------------------------------------------------------- what comes out


def _instruction_starts(code: bytes) -> Iterator[int]:
    """Yield the program counter of each instruction, stepping over the data that PUSH1 to PUSH32 carry."""
    counter = 0
    while counter < len(code):
        yield counter
        opcode = code[counter]
        counter += 1 + (opcode - PUSH1 + 1 if PUSH1 <= opcode <= PUSH32 else 0)


def _brownie_source_map(rows: list[str], code: bytes, main_file: int) -> str:
    """Translate a source map of Vyper 0.4 into the form that Brownie reads.

    Vyper writes one row (start:length:file[:jump]) per byte of code, Brownie reads one per instruction and takes
    every offset for one in the main file; rows of modules would mark arbitrary lines of it.
    """
    translated = []
    for counter in _instruction_starts(code):
        if counter >= len(rows):  # data behind the code
            break
        fields = rows[counter].split(":")
        if len(fields) < 3 or fields[2] != str(main_file):
            translated.append(NOWHERE)
        else:
            translated.append(":".join([*fields[:3], fields[3] if len(fields) > 3 else "-"]))
    return ";".join(translated)


def _compile_json(request: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Stand in for Vyper's `compile_json`."""
    answer: dict[str, Any] = _vyper_compile_json(_with_imports(request), *args, **kwargs)
    for path, contracts in answer.get("contracts", {}).items():
        main_file = answer["sources"][path]["id"]
        for contract in contracts.values():
            for part in contract.get("evm", {}).values():
                if isinstance(part, dict) and isinstance(part.get("sourceMap"), dict):
                    rows = part["sourceMap"]["pc_pos_map_compressed"].split(";")
                    code = bytes.fromhex(part["object"].removeprefix("0x"))
                    part["sourceMap"] = _brownie_source_map(rows, code, main_file)
    return answer


vyper_json.compile_json = _compile_json

# The development chain is an anvil that Brownie starts. Without the trace of each step there are no dev revert
# strings, no call traces and no coverage. Runs side by side need a port each: a second one on the same port would
# silently join the first one's chain.
# Anvil writes old states to a disk and leaves them there when it is stopped: gigabytes in a day of tests.
_states = TemporaryDirectory(prefix="anvil-")
atexit.register(_states.cleanup)
CONFIG.networks["development"]["cmd"] = f"anvil --cache-path {_states.name}"
CONFIG.networks["development"]["cmd_settings"].update(
    evm_version="prague",
    gas_limit=30_000_000,
    port=int(os.environ.get("BROWNIE_ANVIL_PORT", "8545")),
    steps_tracing=True,
)

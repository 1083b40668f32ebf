"""The contracts of the benchmark, compiled as the deploy script compiles them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from tests.benchmarks.gas_chain import EVM_VERSION, ROOT, TOOLS, Chain, Receipt, TransactionFailed


class NotCompiled(Exception):
    """The compiler refuses a contract; the message is what it says."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract."""

    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime_size_bytes: int
    slots: dict[str, int]
    """Name of a storage variable, with its module -> its slot."""

    def types(self, name: str) -> list[str]:
        """Return the ABI types of a function's arguments, or of the constructor's."""
        entries = [entry for entry in self.abi if name in (entry.get("name"), entry["type"])]
        return [collapse_if_tuple(argument) for argument in entries[0]["inputs"]]


def compile_contract(name: str) -> Artifact:
    """Compile a contract with the pinned compiler and its default optimisation, as Brownie does.

    Raises:
        NotCompiled: the compiler refuses it.
    """
    outputs = "abi,layout,bytecode,bytecode_runtime"
    command = [
        str(TOOLS / "vyper"),
        "-p",
        str(ROOT),
        "--evm-version",
        EVM_VERSION,
        "-f",
        outputs,
        f"contracts/{name}.vy",
    ]
    compiled = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if compiled.returncode:
        raise NotCompiled(f"contracts/{name}.vy does not compile:\n{compiled.stderr.strip()}")
    abi, layout, bytecode, runtime = compiled.stdout.splitlines()
    return Artifact(
        abi=json.loads(abi),
        bytecode=bytes.fromhex(bytecode.removeprefix("0x")),
        runtime_size_bytes=len(bytes.fromhex(runtime.removeprefix("0x"))),
        slots=_slots(json.loads(layout)["storage_layout"]),
    )


def _slots(layout: dict[str, Any]) -> dict[str, int]:
    slots = {}
    for name, entry in layout.items():
        if "slot" in entry:
            slots[name] = entry["slot"]
        else:
            slots |= {f"{name}.{variable}": inner["slot"] for variable, inner in entry.items()}
    return slots


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract on the chain."""

    chain: Chain
    address: str
    artifact: Artifact

    def send(self, sender: str, name: str, *arguments: object) -> Receipt:
        types = self.artifact.types(name)
        return self.chain.send(sender, self.address, selector(name, types) + encode(types, arguments))

    def read(self, name: str, *arguments: object) -> bytes:
        """Return what a view returns, still encoded."""
        types = self.artifact.types(name)
        calldata = selector(name, types) + encode(types, arguments)
        return bytes.fromhex(self.chain.call("eth_call", {"to": self.address, "data": "0x" + calldata.hex()})[2:])


def selector(name: str, types: Sequence[str]) -> bytes:
    return keccak(text=f"{name}({','.join(types)})")[:4]


def deploy(chain: Chain, sender: str, artifact: Artifact, *arguments: object) -> Contract:
    """Put a contract on the chain."""
    types = artifact.types("constructor")
    receipt = chain.send(sender, None, artifact.bytecode + encode(types, arguments))
    if receipt.contract is None:
        raise TransactionFailed("no contract was made")
    return Contract(chain, receipt.contract.lower(), artifact)

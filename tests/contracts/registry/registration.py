"""What the registry's tests register: values, builders and what the registry should answer to them."""

from __future__ import annotations

from typing import Any, NamedTuple

import brownie
from eth_utils.crypto import keccak

ROOT_DELAY = 10
WEST, EAST = 1, 2  # regions
MAX_PROVIDER = 2**32 - 1
MAX_CAP = 2**90 - 1
MAX_WORD = 2**256 - 1
UNKNOWN = 77  # a number that nobody has
NOBODY = "0x" + "00" * 20
NO_FINGERPRINT = "0x" + "00" * 32
EMPTY_ROOT = (NO_FINGERPRINT, 0, 0)

CERTIFICATE = b"first root"
NEXT_CERTIFICATE = b"second root"
THIRD_CERTIFICATE = b"third root"


class Registration(NamedTuple):
    """The arguments of register_provider."""

    operator: Any
    region: int = WEST
    collateral_cap: int = 10**18
    endpoint: str = "https://west.example:8443"
    attributes: str = '{"tier": 3}'
    certificate: bytes = CERTIFICATE


def fingerprint_of(certificate: bytes) -> str:
    return "0x" + keccak(certificate).hex()


def profile_of(registry: Any, provider: int) -> dict[str, Any]:
    return dict(registry.profile(provider).dict())


def roots_of(registry: Any, provider: int) -> list[tuple[str, int, int]]:
    """Return fingerprint, added block and active block of both slots."""
    return [(str(fingerprint), added, active) for fingerprint, added, active in registry.roots(provider)]


def slot_of(contract: str, variable: str) -> int:
    """Return the storage slot of a contract's variable, from the compiler."""
    from vyper.compiler import compile_code
    from vyper.compiler.input_bundle import FilesystemInputBundle

    path = brownie.project.get_loaded_projects()[0]._path
    source = (path / "contracts" / f"{contract}.vy").read_text()
    output = compile_code(source, input_bundle=FilesystemInputBundle([path]), output_formats=["layout"])
    return int(output["layout"]["storage_layout"][variable]["slot"])

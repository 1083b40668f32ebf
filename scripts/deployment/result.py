"""Writes deployments/<chain id>.json, the one file by which programs find a market."""

import hashlib
import json
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.deployment import DeploymentRefused

ROOT = Path(__file__).resolve().parent.parent.parent

# Chains that start anew every time: their files are worth nothing.
LOCAL_CHAINS = {31337, 1337}


def result_path(chain_id: int, folder: str | None, may_redeploy: bool) -> Path:
    """Return where the result goes.

    Args:
        chain_id: Of the chain.
        folder: In place of deployments/.
        may_redeploy: Whether the result of another deployment may be replaced.

    Raises:
        DeploymentRefused: there is one already.
    """
    path = (Path(folder) if folder else ROOT / "deployments") / f"{chain_id}.json"
    if path.exists() and chain_id not in LOCAL_CHAINS and not may_redeploy:
        raise DeploymentRefused(
            f"{path} exists: chain {chain_id} has a market; set MOORAGE_REDEPLOY=1 to deploy another in its place"
        )
    return path


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write the file as a whole or not at all: a program that reads it never sees half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(json.dumps(result, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def json_number(value: Decimal) -> int | str:
    """Return a whole number as such, and any other as text, which is exact."""
    return int(value) if value == value.to_integral_value() else str(value)


def sources_hash() -> str:
    """Return the sha256 of all that the deployed contracts are made from, as hex."""
    digest = hashlib.sha256()
    for path in sorted(
        [*ROOT.glob("contracts/*.vy"), *ROOT.glob("contracts/_modules/*.vy"), *ROOT.glob("interfaces/*.vyi")]
    ):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()

"""Files that the deploy script reads and writes, in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PLAIN: dict[str, Any] = {
    "token": "deploy",
    "token_supply": 10**24,
    "registry": "deploy",
    "root_delay_blocks": 10,
    "reconfirmation_period_blocks": 100,
    "collateral_interest_rate": 10**9,
    "facilitator_tip": 10**15,
    "closing_grace_blocks": 50,
    "max_fulfillments": 32,
    "seconds_per_block": 1,
}


@pytest.fixture
def write_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A function that writes the plain parameters with changes; None leaves a key out, a string is written as it is.

    The script finds file and folder of the result by its environment.
    """
    path = tmp_path / "market.toml"
    monkeypatch.setenv("MOORAGE_PARAMETERS", str(path))
    monkeypatch.setenv("MOORAGE_DEPLOYMENTS", str(tmp_path / "deployments"))
    for name in ("MOORAGE_REDEPLOY", "DEPLOYER_ID", "DEPLOYER_KEY", "DEPLOYER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def write(**changes: Any) -> Path:
        values = {key: value for key, value in (PLAIN | changes).items() if value is not None}
        path.write_text("\n".join(f"{key} = {_toml(key, value, changes)}" for key, value in values.items()) + "\n")
        return path

    return write


def _toml(key: str, value: Any, changes: dict[str, Any]) -> str:
    return f'"{value}"' if isinstance(value, str) and key not in changes else str(value)


def quoted(text: Any) -> str:
    """Return a TOML string, for values of `write_parameters`."""
    return f'"{text}"'

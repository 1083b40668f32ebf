"""What an operator sets for one facilitator: from a TOML file, from options, which win, or from both."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from moorage.settings_file import SettingsError, SettingsFile

DEFAULT_RPC = "http://127.0.0.1:8545"
DEFAULT_DATA = "facilitator-data"
DEFAULT_METRICS = "127.0.0.1:9422"
EXAMPLE = "docs/operations/facilitator.md"
KNOWN: dict[str, tuple[str, ...]] = {
    "rpc": (),
    "market": (),
    "data_dir": (),
    "key_file": (),
    "password_file": (),
    "ws": (),
    "metrics": (),
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was said on the command line or in the environment; None and empty: nothing."""

    rpc: tuple[str, ...] = ()
    market: Path | None = None
    key_file: Path | None = None
    password_file: Path | None = None
    data_dir: Path | None = None
    metrics: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    rpc_urls: tuple[str, ...]
    """The preferred node first."""
    market_file: Path
    key_file: Path | None
    """None: dry mode, decides and logs, sends nothing."""
    password_file: Path | None
    data_dir: Path
    """The journal of transactions, and what the operator asks of the running program."""
    ws_url: str | None
    """ws(s)://host:port of a node that tells of new blocks; None: nodes are asked."""
    metrics: tuple[str, int] | None
    """Where health and metrics are served; None: nowhere."""

    @property
    def rpc_url(self) -> str:
        """The preferred node."""
        return self.rpc_urls[0]


def load_settings(path: Path | None, given: Given) -> Settings:
    """Return the settings of a file, if there is one, with what was given in place of its values.

    Raises:
        SettingsError: no such file, unknown or missing keys, values out of form.
    """
    file = SettingsFile.read(path, KNOWN, EXAMPLE) if path else SettingsFile(Path("options"), {}, KNOWN)
    options = SettingsFile(Path("options"), _written(given), KNOWN)
    # systemd gives a directory in the environment; a relative default is below the directory that we run in
    data = Path(os.environ.get("STATE_DIRECTORY") or DEFAULT_DATA).absolute()
    if given.market is None and not file.has("market"):
        where = f"{path}: market" if path else "--market (MOORAGE_MARKET) or --config"
        raise SettingsError(f"{where}: is missing: the file that the deploy script wrote, deployments/<chain id>.json")
    chosen = options if given.metrics is not None else file
    return Settings(
        rpc_urls=options.nodes("rpc") if given.rpc else file.nodes("rpc", DEFAULT_RPC),
        market_file=given.market or file.file("market"),
        key_file=given.key_file or file.optional_file("key_file"),
        password_file=given.password_file or file.optional_file("password_file"),
        data_dir=given.data_dir or (file.file("data_dir") if file.has("data_dir") else data),
        ws_url=file.websocket("ws"),
        metrics=chosen.optional_listening("metrics", DEFAULT_METRICS),
    )


def _written(given: Given) -> dict[str, object]:
    """Return what was given that has to be in a form, as if it had been in a file."""
    rpc = {"rpc": list(given.rpc)} if given.rpc else {}
    return {**rpc, **({} if given.metrics is None else {"metrics": given.metrics})}

"""What an operator sets for one facilitator: from a TOML file, from options, which win, or from both."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moorage import sending, units
from moorage.sending import Sending, read_sending
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
    "coins_per_token": (),
    sending.TABLE: sending.KNOWN,
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
    signer: str | None = None
    signer_address: str | None = None
    fee_cap_gwei: str | None = None
    coins_per_day: str | None = None
    journal: Path | None = None
    coins_per_token: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    rpc_urls: tuple[str, ...]
    """The preferred node first."""
    market_file: Path
    sending: Sending | None
    """None: dry mode, decides and logs, sends nothing."""
    data_dir: Path
    """The journal of transactions, and what the operator asks of the running program."""
    ws_url: str | None
    """ws(s)://host:port of a node that tells of new blocks; None: nodes are asked."""
    metrics: tuple[str, int] | None
    """Where health and metrics are served; None: nowhere."""
    coins_per_token: Fraction | None
    """What a token is worth in the chain's coin: no more gas is paid than a tip is worth. None: no such limit."""

    @property
    def rpc_setting(self) -> str:
        """How messages name the place of the nodes' URLs."""
        return "--rpc (MOORAGE_RPC)"


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

    def at(key: str) -> SettingsFile:
        return options if options.has(key) else file

    data_dir = given.data_dir or (file.file("data_dir") if file.has("data_dir") else data)
    return Settings(
        rpc_urls=at("rpc").nodes("rpc", DEFAULT_RPC),
        market_file=given.market or file.file("market"),
        sending=read_sending(at, "key_file", "password_file", data_dir),
        data_dir=data_dir,
        ws_url=file.websocket("ws"),
        metrics=at("metrics").optional_listening("metrics", DEFAULT_METRICS),
        coins_per_token=at("coins_per_token").optional("coins_per_token", units.parse_tokens),
    )


def _written(given: Given) -> dict[str, object]:
    """Return what was given as if it had been in a file."""
    limits = {"fee_cap_gwei": given.fee_cap_gwei, "coins_per_day": given.coins_per_day, "journal": given.journal}
    table = {"signer": given.signer, "address": given.signer_address, **limits}
    written: dict[str, object] = {"key_file": given.key_file, "password_file": given.password_file}
    written |= {"metrics": given.metrics, "coins_per_token": given.coins_per_token}
    document: dict[str, object] = {"rpc": list(given.rpc)} if given.rpc else {}
    document |= {key: str(value) for key, value in written.items() if value is not None}
    return document | {sending.TABLE: {key: str(value) for key, value in table.items() if value is not None}}

"""What an operator sets for one agent, from a TOML file."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from moorage import regions, units
from moorage.types import ComputeUnit

DEFAULT_DOCKER = "unix:///var/run/docker.sock"
KNOWN = {
    "rpc": "",
    "market": "",
    "data_dir": "",
    "operator_key_file": "",
    "operator_password_file": "",
    "region": "",
    "endpoint": "",
    "listen": "",
    "docker": "",
    "publish_address": "",
    "public_host": "",
    "collateral_cap": "",
    "claim_after": "",
    "capacity": ("cpu", "memory", "disk"),
    "prices": ("cpu", "memory", "disk", "minimum"),
}


class SettingsError(Exception):
    """The file cannot be used; the message says which key of which file, and what it should be."""


@dataclass(frozen=True, slots=True)
class HourlyPrices:
    """Tokens per hour."""

    core: Fraction
    memory_gib: Fraction
    disk_gb: Fraction
    minimum: Fraction


@dataclass(frozen=True, slots=True)
class Settings:
    rpc_url: str
    market_file: Path
    data_dir: Path
    operator_key_file: Path
    operator_password_file: Path | None
    region: int
    """One bit of moorage.regions."""
    endpoint: str
    """https://host:port as tenants reach the agent; it is registered on chain."""
    listen_host: str
    listen_port: int
    docker_url: str
    publish_address: str
    public_host: str
    collateral_cap: str
    """Tokens, decimal."""
    claim_after_seconds: int
    capacity: ComputeUnit
    prices: HourlyPrices


def load_settings(path: Path) -> Settings:
    """Read the settings of an agent. Relative paths in it are relative to the file.

    Raises:
        SettingsError: no such file, unknown or missing keys, values out of form.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file: docs/operations has an example to start from") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    return _File(path, content).settings()


class _File:
    """One settings file; every error names it."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path = path
        self._content = content

    def settings(self) -> Settings:
        self._check_keys()
        host, port = self._listen()
        password_file = self._content.get("operator_password_file")
        return Settings(
            rpc_url=self._text("rpc"),
            market_file=self._file("market"),
            data_dir=self._file("data_dir"),
            operator_key_file=self._file("operator_key_file"),
            operator_password_file=self._path.parent / str(password_file) if password_file else None,
            region=self._region(),
            endpoint=self._endpoint(),
            listen_host=host,
            listen_port=port,
            docker_url=str(self._content.get("docker") or os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER),
            publish_address=self._text("publish_address", "127.0.0.1"),
            public_host=self._text("public_host", "127.0.0.1"),
            collateral_cap=self._collateral_cap(),
            claim_after_seconds=self._parsed("claim_after", units.parse_duration, "1h"),
            capacity=ComputeUnit(
                self._parsed("capacity.cpu", units.parse_cpu),
                self._parsed("capacity.memory", units.parse_size),
                self._parsed("capacity.disk", units.parse_size),
            ),
            prices=HourlyPrices(
                self._parsed("prices.cpu", units.parse_tokens),
                self._parsed("prices.memory", units.parse_tokens),
                self._parsed("prices.disk", units.parse_tokens),
                self._parsed("prices.minimum", units.parse_tokens, "0"),
            ),
        )

    def _check_keys(self) -> None:
        for key, value in self._content.items():
            inner = KNOWN.get(key)
            if inner is None:
                raise self._error(key, f"unknown key; known are {', '.join(KNOWN)}")
            if inner and not isinstance(value, dict):
                raise self._error(key, "has to be a table")
            for name in value if inner else ():
                if name not in inner:
                    raise self._error(f"{key}.{name}", f"unknown key; known are {', '.join(inner)}")

    def _value(self, key: str, default: str | None = None) -> Any:
        value: Any = self._content
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            value = default
        if value is None:
            raise self._error(key, "is missing")
        return value

    def _text(self, key: str, default: str | None = None) -> str:
        value = self._value(key, default)
        if not isinstance(value, str) or not value:
            raise self._error(key, "has to be text")
        return value

    def _file(self, key: str) -> Path:
        return self._path.parent / Path(self._text(key)).expanduser()

    def _parsed(self, key: str, parse: Any, default: str | None = None) -> Any:
        value = self._value(key, default)
        if isinstance(value, float):
            raise self._error(key, f'{value} has to be written in quotes, "{value}", to be exact')
        try:
            return parse(value)
        except units.UnitError as error:
            raise self._error(key, str(error)) from error

    def _region(self) -> int:
        name = self._text("region")
        if name not in regions.REGIONS:
            raise self._error("region", f"{name!r} is not one of {', '.join(regions.REGIONS)}")
        return regions.mask_of(name)

    def _endpoint(self) -> str:
        endpoint = self._text("endpoint")
        if not endpoint.startswith("https://") or endpoint.endswith("/"):
            raise self._error("endpoint", "has to be of the form https://host:port")
        return endpoint

    def _listen(self) -> tuple[str, int]:
        host, _, port = self._text("listen").rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise self._error("listen", "has to be of the form address:port, such as 0.0.0.0:8443")
        return host, int(port)

    def _collateral_cap(self) -> str:
        self._parsed("collateral_cap", units.parse_tokens)
        return str(self._value("collateral_cap"))

    def _error(self, key: str, message: str) -> SettingsError:
        return SettingsError(f"{self._path}: {key}: {message}")

"""What an operator sets for one agent, from a TOML file."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from moorage import regions, units
from moorage.types import ComputeUnit

DEFAULT_DOCKER = "unix:///var/run/docker.sock"
DOCKER_SCHEMES = ("unix://", "tcp://", "http://", "https://")
LOOPBACK = "127.0.0.1"
MAX_ENDPOINT = 256
"""What the registry takes."""
_PORT = re.compile(r"[0-9]{1,5}")
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
    "longest_wait": "",
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
    file: Path
    """Where they were read, for messages."""
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
    longest_wait_seconds: int
    """How far away the match of an order may be that gets a bid: a bid holds capacity and collateral until then."""
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
        raise SettingsError(f"{path}: no such file: docs/operations/provider.md has one to start from") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    return _File(path, content).settings()


class _File:
    """One settings file; every error names it."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path = path
        self._content = content

    def settings(self) -> Settings:
        self._check_keys()
        host, port = self._listen()
        return Settings(
            file=self._path,
            rpc_url=self._rpc(),
            market_file=self._file("market"),
            data_dir=self._file("data_dir"),
            operator_key_file=self._file("operator_key_file"),
            operator_password_file=self._password_file(),
            region=self._region(),
            endpoint=self._endpoint(),
            listen_host=host,
            listen_port=port,
            docker_url=self._docker(),
            publish_address=self._address("publish_address", self._text("publish_address", LOOPBACK)),
            public_host=self._text("public_host", LOOPBACK),
            collateral_cap=self._collateral_cap(),
            claim_after_seconds=self._parsed("claim_after", units.parse_duration, "1h"),
            longest_wait_seconds=self._parsed("longest_wait", units.parse_duration, "1h"),
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
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self._error(key, "has to be text in quotes")
        return value

    def _file(self, key: str) -> Path:
        written = self._text(key)
        try:
            return self._path.parent / Path(written).expanduser()
        except RuntimeError:
            raise self._error(key, f"{written!r}: there is no such user") from None

    def _parsed(self, key: str, parse: Any, default: str | None = None) -> Any:
        value = self._value(key, default)
        if isinstance(value, float):
            raise self._error(key, f'a number with a point has to be written in quotes, such as "{value}", to be exact')
        try:
            return parse(value)
        except units.UnitError as error:
            raise self._error(key, str(error)) from error

    def _region(self) -> int:
        name = self._text("region")
        if name not in regions.REGIONS:
            raise self._error("region", f"{name!r} is not one of {', '.join(regions.REGIONS)}")
        return regions.mask_of(name)

    def _password_file(self) -> Path | None:
        return self._file("operator_password_file") if "operator_password_file" in self._content else None

    def _rpc(self) -> str:
        written = self._text("rpc")
        parts = _parts(written)
        if parts is None or parts.scheme not in ("http", "https"):
            # it may hold an access token: not repeated
            raise self._error("rpc", "has to be of the form http(s)://host:port, such as http://127.0.0.1:8545")
        return written

    def _endpoint(self) -> str:
        endpoint = self._text("endpoint")
        parts = _parts(endpoint)
        is_good = parts is not None and parts.port and endpoint == f"https://{parts.netloc}" and "@" not in endpoint
        if not is_good or not endpoint.isascii() or len(endpoint) > MAX_ENDPOINT:
            raise self._error("endpoint", "has to be of the form https://host:port, as tenants reach the agent")
        return endpoint

    def _listen(self) -> tuple[str, int]:
        host, _, port = self._text("listen").rpartition(":")
        if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
            raise self._error("listen", "has to be of the form address:port, such as 0.0.0.0:8443")
        return self._address("listen", host.removeprefix("[").removesuffix("]")), int(port)

    def _address(self, key: str, written: str) -> str:
        try:
            return str(ip_address(written))
        except ValueError:
            raise self._error(key, f"{written!r} is not an IP address, such as 0.0.0.0 for all of this host") from None

    def _docker(self) -> str:
        written = self._text("docker") if "docker" in self._content else os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER
        if not written.startswith(DOCKER_SCHEMES):
            raise self._error("docker", f"{written!r} has to begin with one of {', '.join(DOCKER_SCHEMES)}")
        return written

    def _collateral_cap(self) -> str:
        self._parsed("collateral_cap", units.parse_tokens)
        return str(self._value("collateral_cap"))

    def _error(self, key: str, message: str) -> SettingsError:
        return SettingsError(f"{self._path}: {key}: {message}")


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address that has a host and a possible port, else None."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None

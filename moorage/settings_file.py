"""Reads a program's settings from TOML: every value is checked, and every error names the file and the key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from moorage import units

LOOPBACK = "127.0.0.1"
MAX_ENDPOINTS = 8
Keys = Mapping[str, tuple[str, ...]]
"""The keys that a file may have; a table comes with those within it."""
_PORT = re.compile(r"[0-9]{1,5}")


class SettingsError(Exception):
    """The file cannot be used; the message says which key of which file, and what it should be."""


class SettingsFile:
    """One settings file, with the values that it was read to have."""

    def __init__(self, path: Path, content: dict[str, Any], known: Keys) -> None:
        """
        Args:
            path: where it was read, for messages; relative paths in it are relative to it.

        Raises:
            SettingsError: it has a key that is not known.
        """
        self._path = path
        self._content = content
        self._check_keys(known)

    @classmethod
    def read(cls, path: Path, known: Keys, example: str) -> SettingsFile:
        """Read a file; `example` says where there is one to start from.

        Raises:
            SettingsError: no such file, not TOML, or a key that is not known.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(f"{path}: no such file: {example} has one to start from") from None
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: not TOML: {error}") from error
        return cls(path, content, known)

    def has(self, key: str) -> bool:
        """Return whether a key is set; a dot leads into a table."""
        return self._found(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        """Return text; without a default it has to be there."""
        value = self._value(key, default)
        if not isinstance(value, str) or not value.isprintable():
            raise self.error(key, "has to be text in quotes")
        if not value.strip():
            raise self.error(key, "is empty")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty if it is not there."""
        value = self._found(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) and each.isprintable() for each in value):
            raise self.error(key, 'has to be a list of text in quotes, such as ["one", "two"]')
        return tuple(value)

    def numbers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        value = self._found(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(type(each) is int for each in value):
            raise self.error(key, "has to be a list of whole numbers, such as [25, 465]")
        return tuple(value)

    def file(self, key: str, default: str | None = None) -> Path:
        """Return a path."""
        written = self.text(key, default)
        try:
            return self._path.parent / Path(written).expanduser()
        except RuntimeError:
            raise self.error(key, f"{written!r}: there is no such user") from None

    def optional_file(self, key: str) -> Path | None:
        """Return a path, None if the key is not there."""
        return self.file(key) if self.has(key) else None

    def whole(self, key: str, default: int, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        value = self._found(key)
        written = str(default if value is None else value)
        is_number = written.isascii() and written.isdecimal() and len(written) <= len(str(most))
        if not is_number or not 1 <= int(written) <= most:
            raise self.error(key, f"{written!r} is not a whole number from 1 to {most}")
        return int(written)

    def parsed(
        self, key: str, parse: Callable[[Any], Any], default: str | None = None, least: str | None = None
    ) -> Any:
        """Return what a parser of moorage.units makes of a value, which has to be at least `least`."""
        value = self._value(key, default)
        if isinstance(value, float):
            raise self.error(key, f'a number with a point has to be written in quotes, such as "{value}", to be exact')
        try:
            found = parse(value)
        except units.UnitError as error:
            raise self.error(key, str(error)) from error
        if least is not None and found < parse(least):
            raise self.error(key, f"has to be at least {least}")
        return found

    def optional(self, key: str, parse: Callable[[Any], Any]) -> Any:
        """Return what a parser makes of a value, None if the key is not there."""
        return self.parsed(key, parse) if self.has(key) else None

    def nodes(self, key: str, default: str | None = None) -> tuple[str, ...]:
        """Return the addresses of nodes: one, or a list with the preferred one first."""
        value = self._value(key, default)
        if isinstance(value, list) and not 0 < len(value) <= MAX_ENDPOINTS:
            raise self.error(key, f"has more than {MAX_ENDPOINTS} addresses" if value else "is empty")
        several = value if isinstance(value, list) else [self.text(key, default)]
        for written in several:
            parts = address_parts(written) if isinstance(written, str) and written.isprintable() else None
            if parts is None or parts.scheme not in ("http", "https"):
                # it may hold an access token: not repeated
                raise self.error(key, "has to be of the form http(s)://host:port, such as http://127.0.0.1:8545")
        if len(set(several)) != len(several):
            raise self.error(key, "has one of its addresses twice")
        return tuple(several)

    def websocket(self, key: str) -> str | None:
        """Return the address of a node's WebSocket; None if there is none."""
        if not self.has(key):
            return None
        written = self.text(key)
        parts = address_parts(written)
        if parts is None or parts.scheme not in ("ws", "wss"):
            # it may hold an access token: not repeated
            raise self.error(key, "has to be of the form ws(s)://host:port, such as ws://127.0.0.1:8545")
        return written

    def listening(self, key: str, default: str | None = None) -> tuple[str, int]:
        """Return an address of this host and a port."""
        host, _, port = self.text(key, default).rpartition(":")
        if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536:
            raise self.error(key, "has to be of the form address:port, such as 0.0.0.0:8443")
        return self.address(key, host.removeprefix("[").removesuffix("]")), int(port)

    def optional_listening(self, key: str, default: str) -> tuple[str, int] | None:
        """Return an address of this host and a port; None if it is set to nothing."""
        return None if self._found(key) == "" else self.listening(key, default)

    def address(self, key: str, written: str) -> str:
        """Return an IP address in its usual form."""
        try:
            return str(ip_address(written))
        except ValueError:
            raise self.error(key, f"{written!r} is not an IP address, such as 0.0.0.0 for all of this host") from None

    def error(self, key: str, message: str) -> SettingsError:
        """Return the error about a key."""
        return SettingsError(f"{self._path}: {key}: {message}")

    def _check_keys(self, known: Keys) -> None:
        for key, value in self._content.items():
            inner = known.get(key)
            if inner is None:
                raise self.error(key, f"unknown key; known are {', '.join(known)}")
            if inner and not isinstance(value, dict):
                raise self.error(key, "has to be a table")
            for name in value if inner else ():
                if name not in inner:
                    raise self.error(f"{key}.{name}", f"unknown key; known are {', '.join(inner)}")

    def _found(self, key: str) -> Any:
        value: Any = self._content
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def _value(self, key: str, default: str | None) -> Any:
        value = self._found(key)
        if value is None:
            value = default
        if value is None:
            raise self.error(key, "is missing")
        return value


def address_parts(url: str) -> SplitResult | None:
    """Return the parts of an address that has a host and a possible port, else None."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None

"""Named settings of a person: which node, which market, whose key. Kept in the configuration's directory, mode 0600.

Beside them stands which markets of working directories were agreed to: a directory alone never chooses one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cli.failures import ExitStatus, Failure
from moorage.private_file import is_private, lock, write_private

if TYPE_CHECKING:
    from moorage.chain.market import Market

NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One name's settings; None is what the defaults say."""

    rpc: str | None = None
    market: str | None = None
    """Path of the market's file."""
    wallet: str | None = None
    """Path of the keystore."""
    signer: str | None = None
    address: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: int = 1
    current: str | None = None
    contexts: dict[str, Context] = {}
    markets: list[str] = []
    """Of those that were agreed to: what `fingerprint` returns."""


class Contexts:
    """The file with the contexts. Everything that changes it is written at once."""

    def __init__(self, directory: Path) -> None:
        """
        Args:
            directory: of the configuration.

        Raises:
            Failure: the file is none of ours, or others can read or change it.
        """
        self.path = directory / "contexts.json"
        self._file = _read(self.path)

    @property
    def current(self) -> str | None:
        """The name of the context that is used when none is named."""
        return self._file.current

    @property
    def all(self) -> dict[str, Context]:
        """Every context by its name."""
        return dict(self._file.contexts)

    def find(self, name: str | None) -> Context:
        """Return a context; without a name the current one, which may be empty.

        Raises:
            Failure: there is none of this name.
        """
        wanted = self._file.current if name is None else name
        if wanted is None:
            return Context()
        if wanted not in self._file.contexts:
            known = ", ".join(self._file.contexts) or "none"
            text = f"no context {wanted!r}: there are {known}; `moorage context add` makes one"
            raise Failure(ExitStatus.USAGE, text)
        return self._file.contexts[wanted]

    def add(self, name: str, context: Context) -> None:
        """Keep a context; the first one becomes the current one.

        Raises:
            Failure: the name is taken, or no name.
        """
        if not name or not NAME_CHARACTERS.issuperset(name):
            raise Failure(ExitStatus.USAGE, f"context {name!r}: a name has letters, digits, - _ and . only")
        with self._changing() as file:
            if name in file.contexts:
                raise Failure(ExitStatus.USAGE, f"there is a context {name!r}: `moorage context remove {name}` first")
            file.contexts[name] = context
            file.current = file.current or name

    def use(self, name: str) -> None:
        """Make a context the current one."""
        with self._changing() as file:
            self.find(name)
            file.current = name

    def remove(self, name: str) -> None:
        """Forget a context; its files stay."""
        with self._changing() as file:
            self.find(name)
            del file.contexts[name]
            if file.current == name:
                file.current = None

    def is_agreed(self, market: Market) -> bool:
        """Return whether a market of a working directory was agreed to, with this very code."""
        return fingerprint(market) in self._file.markets

    def agree(self, market: Market) -> None:
        """Remember that a market was agreed to."""
        with self._changing() as file:
            if fingerprint(market) not in file.markets:
                file.markets.append(fingerprint(market))

    @contextmanager
    def _changing(self) -> Iterator[_File]:
        """Give the file as it is now, and write what it was changed to; others wait for that long."""
        with lock(self.path.with_name(f".{self.path.name}.lock"), is_waiting=True):
            self._file = _read(self.path)
            yield self._file
            write_private(self.path, msgspec.json.format(msgspec.json.encode(self._file)))


def fingerprint(market: Market) -> str:
    """Return what a market is known by: chain, exchange, and the code of all its contracts."""
    code = " ".join(f"{address}={market.code_hashes[address].hex()}" for address in sorted(market.code_hashes))
    return f"{market.chain_id} {market.exchange} {code}"


def _read(path: Path) -> _File:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return _File(contexts={}, markets=[])
    if not is_private(path):
        raise Failure(ExitStatus.WALLET, f"{path}: others may read or change it: run chmod 600 {path}")
    try:
        file = msgspec.json.decode(text, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problem = f"{path}: not a file of contexts ({error}): restore it, or move it away"
        raise Failure(ExitStatus.WALLET, problem) from None
    if file.format != 1:
        raise Failure(ExitStatus.WALLET, f"{path}: written by a newer version of this program: use that one")
    return file

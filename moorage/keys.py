"""Keys of the programs, from files: 32 bytes in hex, or a version 3 keystore (Web3 Secret Storage) and its password."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from moorage.private_file import is_private


class KeyFileError(Exception):
    """A key that cannot be used; the message says which file and what to do, never what is in it."""


def load_key(path: Path, password_file: Path | None = None) -> LocalAccount:
    """Return the account of a key file.

    Raises:
        KeyFileError: no such file, readable by others, or not a key.
    """
    text = _read(path, "key file")
    if not is_private(path):
        raise KeyFileError(f"{path}: others may read this key: run chmod 600 {path}")
    try:
        if text.startswith("{"):
            if password_file is None:
                raise KeyFileError(f"{path}: a keystore needs the file with its password")
            password = _read(password_file, "password file")
            return _account(bytes(Account.decrypt(json.loads(text), password)))
        return _account(bytes.fromhex(text.removeprefix("0x")))
    except (ValueError, TypeError, KeyError, NotImplementedError):
        # from None: the cause's text could hold a part of the key
        raise KeyFileError(f"{path}: neither 64 hex digits nor a keystore that this password opens") from None


def _account(key: bytes) -> LocalAccount:
    if len(key) != 32:
        raise ValueError
    account: LocalAccount = Account.from_key(key)
    return account


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise KeyFileError(f"{path}: no such {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read as a {what} ({type(error).__name__})") from None

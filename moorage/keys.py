"""Keys of the programs, from files: 32 bytes in hex, or a version 3 keystore (Web3 Secret Storage) and its password."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from moorage.private_file import is_private
from moorage.types import Address

KEY_LENGTH = 32
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, NotImplementedError)
"""What the libraries raise for a key or keystore that is none."""


class KeyFileError(Exception):
    """A key that cannot be used; the message says which file and what to do, never what is in it."""


def load_key(path: Path, password_file: Path | None = None) -> LocalAccount:
    """Return the account of a key file.

    Raises:
        KeyFileError: no such file, readable by others, or not a key.
    """
    text = _read_private(path)
    if text.startswith("{"):
        if password_file is None:
            raise KeyFileError(f"{path}: a keystore needs the file with its password")
        return _decrypted(path, text, _read(password_file, "password file").strip("\r\n"))
    return parse_key(text, str(path))


def parse_key(text: str, where: str) -> LocalAccount:
    """Return the account of a raw key.

    Args:
        where: it was read from, for messages.

    Raises:
        KeyFileError: it is no key.
    """
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH:
        raise KeyFileError(f"{where}: neither 64 hex digits nor a keystore")
    try:
        return _account(key)
    except _MALFORMED:
        # from None: the cause's text could hold a part of the key
        raise KeyFileError(f"{where}: 64 hex digits, but no key: 0, or beyond secp256k1") from None


def open_keystore(path: Path, password: str) -> LocalAccount:
    """Return the account of a keystore.

    Raises:
        KeyFileError: no such file, readable by others, no keystore, or another password.
    """
    keystore_address(path)
    return _decrypted(path, _read_private(path), password)


def is_keystore(path: Path) -> bool:
    """Return whether a file looks like a keystore.

    Raises:
        KeyFileError: no such file, or readable by others.
    """
    return _read_private(path).startswith("{")


def keystore_address(path: Path) -> Address:
    """Return the address that a keystore says it is for, which needs no password.

    Raises:
        KeyFileError: no such file, readable by others, or no keystore.
    """
    try:
        address = f"0x{json.loads(_read_private(path))['address'].removeprefix('0x')}"
    except _MALFORMED:
        address = ""
    if not is_address(address):
        raise KeyFileError(f"{path}: not a keystore (Web3 Secret Storage version 3) with its address")
    return Address(to_checksum_address(address))


def _decrypted(path: Path, text: str, password: str) -> LocalAccount:
    try:
        document = json.loads(text)
        account = _account(bytes(Account.decrypt(document, password)))
    except _MALFORMED:
        raise KeyFileError(f"{path}: not a keystore that this password opens") from None
    # a broken iv passes the checksum and makes another key; some tools leave the address out
    if "address" in document and str(account.address) != keystore_address(path):
        raise KeyFileError(f"{path}: the keystore says another address than its key has: use a backup of it")
    return account


def _account(key: bytes) -> LocalAccount:
    if len(key) != KEY_LENGTH:
        raise ValueError
    account: LocalAccount = Account.from_key(key)
    return account


def _read_private(path: Path) -> str:
    text = _read(path, "key file")
    if not is_private(path):
        raise KeyFileError(f"{path}: others may read this key: run chmod 600 {path}")
    return text.strip()


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyFileError(f"{path}: no such {what}: check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: cannot be read as a {what} ({type(error).__name__})") from None

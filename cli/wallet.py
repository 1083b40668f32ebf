"""The tenant's key: a keystore with a password, or a raw key in a file for automation."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Options
from moorage.keys import KeyFileError, keystore_address, load_key, open_keystore
from moorage.private_file import write_private
from moorage.types import Address


def address_of(options: Options) -> Address:
    """Return the tenant's address; a keystore needs no password for that.

    Raises:
        Failure: there is no wallet.
        KeyFileError: the file is no key.
    """
    if options.key_file is not None:
        return Address(load_key(options.key_file, options.password_file).address)
    _check_exists(options.wallet_file)
    return keystore_address(options.wallet_file)


def unlock(environment: Environment, options: Options) -> LocalAccount:
    """Return the tenant's key, asking for the password if there is no file with it.

    Raises:
        Failure: there is no wallet, or nobody to ask.
        KeyFileError: the file is no key, or the password is another one.
    """
    if options.key_file is not None:
        return load_key(options.key_file, options.password_file)
    _check_exists(options.wallet_file)
    address = keystore_address(options.wallet_file)
    return open_keystore(options.wallet_file, _password(environment, options, f"Password of wallet {address}"))


def create(environment: Environment, options: Options) -> LocalAccount:
    """Create a new key in the wallet file."""
    return _store(environment, options, Account.create())


def import_key(environment: Environment, options: Options, key_file: Path) -> LocalAccount:
    """Take a raw key, or another keystore, into the wallet file."""
    return _store(environment, options, load_key(key_file, options.password_file))


def _store(environment: Environment, options: Options, account: LocalAccount) -> LocalAccount:
    path = options.wallet_file
    if path.exists():
        raise Failure(ExitStatus.WALLET, f"{path}: there is a wallet already; it is never overwritten, use --wallet")
    password = _password(environment, options, f"Password for the new wallet {path}", is_new=True)
    if not password:
        raise Failure(ExitStatus.WALLET, "an empty password protects nothing: give another one")
    keystore = Account.encrypt(account.key, password, kdf="scrypt", iterations=environment.scrypt_work)
    write_private(path, json.dumps(keystore).encode())
    return account


def _password(environment: Environment, options: Options, prompt: str, *, is_new: bool = False) -> str:
    if options.password_file is None:
        return environment.ask_password(prompt, is_new=is_new)
    try:
        return options.password_file.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError:
        raise KeyFileError(f"{options.password_file}: no such password file") from None
    except (OSError, UnicodeDecodeError) as error:
        name = type(error).__name__
        raise KeyFileError(f"{options.password_file}: cannot be read as a password file ({name})") from None


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise Failure(ExitStatus.WALLET, f"{path}: no wallet: `moorage register` makes one, --wallet names another")

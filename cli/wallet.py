"""The tenant's key: a keystore with a password, a raw key for automation, or a signer elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_hex_address, to_checksum_address

from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.new_files import check_free, taken, write_new
from cli.options import Options
from cli.signers import KeySigner, NobodySigns, SignerElsewhere, TenantSigner
from moorage.chain.market import Market
from moorage.chain.remote_signer import RemoteSigner
from moorage.chain.rpc import Rpc
from moorage.chain.signer import market_calls
from moorage.keys import KeyFileError, is_keystore, keystore_address, load_key, open_keystore, parse_key
from moorage.private_file import is_unchangeable
from moorage.types import Address

GIVEN = "MOORAGE_KEY, or the file of --key-fd"


def address_of(options: Options) -> Address:
    """Return the tenant's address; a keystore needs no password for that.

    Raises:
        Failure: there is no wallet.
        KeyFileError: the file is no key.
    """
    if options.address is not None:
        return parse_address(options.address, "--address")
    if options.signer_url is not None:
        text = "--signer needs --address (MOORAGE_ADDRESS): whose transactions it is to sign"
        raise Failure(ExitStatus.USAGE, text)
    if options.key is not None:
        return Address(_given_key(options.key).address)
    if options.key_file is not None:
        return Address(load_key(options.key_file, options.password_file).address)
    _check_exists(options.wallet_file)
    return keystore_address(options.wallet_file)


def is_file_needed(options: Options) -> bool:
    """Return whether the key is in the wallet's file, and nowhere else."""
    return (options.key, options.key_file, options.signer_url, options.address) == (None, None, None, None)


def place_of(options: Options) -> str:
    """Return where the key is, for people; what may be a token in a signer's address is left out."""
    if options.signer_url is not None:
        return f"the signer at {Rpc(options.signer_url).name}"
    if options.address is not None:
        return "elsewhere"
    return GIVEN if options.key is not None else str(options.key_file or options.wallet_file)


@asynccontextmanager
async def open_signer(environment: Environment, options: Options, market: Market) -> AsyncIterator[TenantSigner]:
    """Give whoever signs for the tenant on this market. A password is asked for when it is first needed.

    Raises:
        Failure: there is no wallet.
        KeyFileError: the file is no key.
    """
    allowed = market_calls(market)
    if options.signer_url is not None:
        async with Rpc(options.signer_url) as rpc:
            yield SignerElsewhere(RemoteSigner(rpc, address_of(options), allowed))
    elif options.address is not None:
        yield NobodySigns(address_of(options))
    else:
        yield KeySigner(address_of(options), lambda: unlock(environment, options), allowed)


def signer_of(account: LocalAccount, market: Market) -> TenantSigner:
    """Return a key that is here already."""
    return KeySigner(Address(account.address), lambda: account, market_calls(market))


def unlock(environment: Environment, options: Options) -> LocalAccount:
    """Return the tenant's key, asking for the password if there is no file with it.

    Raises:
        Failure: there is no wallet, or nobody to ask.
        KeyFileError: the file is no key, or the password is another one.
    """
    if options.key is not None:
        return _given_key(options.key)
    if options.key_file is not None:
        return load_key(options.key_file, options.password_file)
    return unlock_wallet(environment, options)


def unlock_wallet(environment: Environment, options: Options) -> LocalAccount:
    """Return the key of the wallet's file.

    Raises:
        Failure: there is no wallet, or nobody to ask.
        KeyFileError: the file is no key, or the password is another one.
    """
    _check_exists(options.wallet_file)
    address = keystore_address(options.wallet_file)
    return open_keystore(options.wallet_file, _password(environment, options, f"Password of wallet {address}"))


def create(environment: Environment, options: Options) -> LocalAccount:
    """Create a new key in the wallet file."""
    return _store(environment, options, Account.create())


def export(environment: Environment, options: Options, path: Path, *, is_raw: bool) -> Address:
    """Copy the wallet to a file of mode 0600, as it is, or as the raw key that nothing protects.

    Raises:
        Failure: there is no wallet, or there is something at the path.
        KeyFileError: the file is no wallet, or the password is another one.
    """
    check_free(path, taken(path, ExitStatus.WALLET))
    account = unlock_wallet(environment, options)  # who has no password gets no copy, and a copy is one that opens
    content = f"0x{account.key.hex().removeprefix('0x')}\n".encode() if is_raw else options.wallet_file.read_bytes()
    write_new(path, content, taken(path, ExitStatus.WALLET))
    return Address(account.address)


def import_key(environment: Environment, options: Options, key_file: Path) -> LocalAccount:
    """Take a raw key, or another keystore, into the wallet file.

    Raises:
        Failure: there is a wallet already, or nobody to ask for a password.
        KeyFileError: the file is no key, or its password is another one.
    """
    check_free(options.wallet_file, _there_is(options.wallet_file))
    return _store(environment, options, open_other(environment, options, key_file))


def open_other(environment: Environment, options: Options, key_file: Path) -> LocalAccount:
    """Return a raw key, or that of another keystore.

    Raises:
        Failure: nobody to ask for a password.
        KeyFileError: the file is no key, or its password is another one.
    """
    if options.password_file is not None or not is_keystore(key_file):
        return load_key(key_file, options.password_file)
    password = environment.ask_password(f"Password of {key_file}, of {keystore_address(key_file)}")
    return open_keystore(key_file, password)


def _given_key(text: str) -> LocalAccount:
    return parse_key(text, GIVEN)


def parse_address(text: str, option: str) -> Address:
    """Return an address that was typed; a checksum in it has to be right (EIP-55).

    Raises:
        Failure: it is none.
    """
    has_checksum = text[2:] not in (text[2:].lower(), text[2:].upper())
    if not is_hex_address(text) or (has_checksum and text != to_checksum_address(text)):
        problem = f"{option} {text!r}: no address, or a mistyped one: 0x and 40 hex digits"
        raise Failure(ExitStatus.USAGE, problem)
    return Address(to_checksum_address(text))


def _store(environment: Environment, options: Options, account: LocalAccount) -> LocalAccount:
    path = options.wallet_file
    check_free(path, _there_is(path))
    password = _password(environment, options, f"Password for the new wallet {path}", is_new=True)
    if not password:
        raise Failure(ExitStatus.WALLET, "an empty password protects nothing: give another one")
    keystore = Account.encrypt(account.key, password, kdf="scrypt", iterations=environment.scrypt_work)
    write_new(path, json.dumps(keystore).encode(), _there_is(path))  # another run may have made one meanwhile
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


def _there_is(path: Path) -> Failure:
    return Failure(ExitStatus.WALLET, f"{path}: there is a wallet already; it is never overwritten, use --wallet")


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise Failure(ExitStatus.WALLET, f"{path}: no wallet: `moorage register` makes one, --wallet names another")
    if not is_unchangeable(path.parent):
        text = f"{path.parent}: others may put another wallet there: run chmod go-w {path.parent}"
        raise Failure(ExitStatus.WALLET, text)

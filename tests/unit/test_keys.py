"""Key files: what opens, what does not, and that no message ever holds a part of the secret."""

from __future__ import annotations

import copy
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from moorage.keys import KeyFileError, keystore_address, load_key, open_keystore

KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
PASSWORD = "a pass word with ü"
KEYSTORE: dict[str, Any] = Account.encrypt(KEY, PASSWORD, kdf="scrypt", iterations=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "operator.key"
    path.touch(mode=0o600)
    return path


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [KEY.hex(), f"0x{KEY.hex()}", KEY.hex().upper(), f"\n  {KEY.hex()}\n\n"])
def test_load_key__64_hex_digits__is_the_account(path: Path, text: str) -> None:
    path.write_text(text)

    assert load_key(path).address == ADDRESS


def test_load_key__keystore_and_its_password__is_the_account(path: Path, password_file: Path) -> None:
    path.write_text(json.dumps(KEYSTORE))

    assert load_key(path, password_file).address == ADDRESS
    assert open_keystore(path, PASSWORD).address == ADDRESS
    assert keystore_address(path) == ADDRESS


def test_load_key__password_without_a_line_end_or_with_spaces_around_it__is_taken_as_it_is(
    path: Path, password_file: Path
) -> None:
    path.write_text(json.dumps(Account.encrypt(KEY, "  spaces ", kdf="scrypt", iterations=2)))
    password_file.write_bytes(b"  spaces \r\n")

    assert load_key(path, password_file).address == ADDRESS


def test_load_key__keystore_that_does_not_say_its_address__opens(path: Path, password_file: Path) -> None:
    path.write_text(json.dumps({key: value for key, value in KEYSTORE.items() if key != "address"}))

    assert load_key(path, password_file).address == ADDRESS
    with pytest.raises(KeyFileError, match=r"not a keystore .* with its address"):
        open_keystore(path, PASSWORD)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_j02_load_key__others_have_a_right_on_it__says_how_to_take_it_away(path: Path, mode: int) -> None:
    path.write_text(KEY.hex())
    path.chmod(mode)

    with pytest.raises(KeyFileError) as caught:
        load_key(path)

    assert str(caught.value) == f"{path}: others may read this key: run chmod 600 {path}"


def test_load_key__no_such_file__names_it(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError) as caught:
        load_key(tmp_path / "absent")

    assert str(caught.value) == f"{tmp_path / 'absent'}: no such key file: check the path"


def test_load_key__no_such_password_file__names_it(path: Path, tmp_path: Path) -> None:
    path.write_text(json.dumps(KEYSTORE))

    with pytest.raises(KeyFileError) as caught:
        load_key(path, tmp_path / "absent")

    assert str(caught.value) == f"{tmp_path / 'absent'}: no such password file: check the path"


def test_load_key__folder__names_it(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError) as caught:
        load_key(tmp_path)

    assert str(caught.value) == f"{tmp_path}: cannot be read as a key file (IsADirectoryError)"


def test_load_key__keystore_without_a_password_file__asks_for_one(path: Path) -> None:
    path.write_text(json.dumps(KEYSTORE))

    with pytest.raises(KeyFileError) as caught:
        load_key(path)

    assert str(caught.value) == f"{path}: a keystore needs the file with its password"


HALF = KEY.hex()[:32]
GARBAGE = [
    "",
    "0x",
    KEY.hex()[:-1],
    KEY.hex()[:-2],
    f"{KEY.hex()}00",
    f"{KEY.hex()[:-2]}zz",
    f"{HALF} {HALF}\x00",
    "00" * 32,
    "ff" * 32,
    f"key = {KEY.hex()}",
    f'{{"crypto": "{HALF}"',
    f'{{"key": "{KEY.hex()}"}}',
    f'["{KEY.hex()}"]',
    f"{KEY.hex()}é",
]


@pytest.mark.parametrize("text", GARBAGE)
def test_g26_load_key__no_key__says_so_without_a_part_of_it(path: Path, password_file: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")

    with pytest.raises(KeyFileError) as caught:
        load_key(path, password_file)

    kind = "not a keystore that this password opens" if text.startswith("{") else "neither 64 hex digits nor a keystore"
    if text in ("00" * 32, "ff" * 32):
        kind = "64 hex digits, but no key: 0, or beyond secp256k1"
    assert str(caught.value) == f"{path}: {kind}"
    assert_silent(caught.value)


def test_load_key__bytes_that_are_no_text__says_so(path: Path) -> None:
    path.write_bytes(KEY)

    with pytest.raises(KeyFileError) as caught:
        load_key(path)

    assert str(caught.value) == f"{path}: cannot be read as a key file (UnicodeDecodeError)"
    assert_silent(caught.value)


def test_g26_load_key__wrong_password__says_so_without_it(path: Path, password_file: Path) -> None:
    path.write_text(json.dumps(KEYSTORE))
    password_file.write_text("canary-5e0f")

    with pytest.raises(KeyFileError) as caught:
        load_key(path, password_file)

    assert str(caught.value) == f"{path}: not a keystore that this password opens"
    assert_silent(caught.value)
    with pytest.raises(KeyFileError, match="not a keystore that this password opens"):
        open_keystore(path, "canary-5e0f")


def test_open_keystore__another_address_in_it__is_refused(path: Path) -> None:
    path.write_text(json.dumps({**KEYSTORE, "address": "00" * 20}))

    with pytest.raises(KeyFileError, match="the keystore says another address than its key has"):
        open_keystore(path, PASSWORD)


def _keys(document: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [(*above, key) for key in document]
    for key, value in document.items():
        found += _keys(value, (*above, key)) if isinstance(value, dict) else []
    return found


@pytest.mark.parametrize("key", _keys(KEYSTORE), ids=".".join)
def test_load_key__keystore_with_one_value_broken__opens_or_is_one_clear_error(
    path: Path, password_file: Path, key: tuple[str, ...]
) -> None:
    for value in (None, "x", 5, -1, [], {}, "00", True, 1.5, "zz" * 16):
        document = copy.deepcopy(KEYSTORE)
        place = document
        for folder in key[:-1]:
            place = place[folder]
        place[key[-1]] = value
        path.write_text(json.dumps(document))

        for is_opened in (
            lambda: load_key(path, password_file).address == ADDRESS,
            lambda: open_keystore(path, PASSWORD).address == ADDRESS,
            lambda: keystore_address(path) == ADDRESS,
        ):
            try:
                assert is_opened()
            except KeyFileError as error:
                assert str(error).startswith(f"{path}: ")


def assert_silent(error: BaseException) -> None:
    """Check that nothing that is printed of an error, its traceback included, holds a part of the secrets."""
    printed = "".join(traceback.format_exception(error)).lower()
    assert HALF[:12] not in printed
    assert KEY.hex()[-12:] not in printed
    assert "canary" not in printed
    assert "00" * 32 not in printed


@pytest.mark.parametrize(("mode", "is_read"), [(0o400, True), (0o440, True), (0o444, False)])
def test_g26_load_key__handed_over_by_systemd__may_be_readable_by_its_group_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, is_read: bool
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    path = folder / "operator.key"
    path.write_text("11" * 32)
    path.chmod(mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    beside = tmp_path / "operator.key"
    beside.write_text("11" * 32)
    beside.chmod(0o440)

    if is_read:
        assert load_key(path).address
    else:
        with pytest.raises(KeyFileError, match="others may read this key"):
            load_key(path)
    with pytest.raises(KeyFileError, match="others may read this key"):
        load_key(beside)

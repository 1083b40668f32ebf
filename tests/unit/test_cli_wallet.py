"""The tenant's key in its files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from cli import wallet
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Format, Options
from moorage.keys import KeyFileError
from tests.cli_runner import Person, person

KEY = "0x" + "5e" * 32
ADDRESS = Account.from_key(KEY).address
PASSWORD = "correct horse battery"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def environment(tmp_path) -> Environment:
    return Environment(tmp_path, tmp_path / "state", is_interactive=False, is_terminal=False, scrypt_work=2)


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def options(tmp_path) -> Any:
    def make(**changes: Any) -> Options:
        fields: dict[str, Any] = {
            "rpc_url": "",
            "is_rpc_given": False,
            "market_file": None,
            "output": Format.TEXT,
            "wallet_file": tmp_path / "config" / "wallet.json",
            "key_file": None,
            "password_file": written(tmp_path / "password", PASSWORD + "\n"),
            "is_agreed": True,
        }
        return Options(**{**fields, **changes})

    return make


def test_wallet__created__is_private_and_opens_again(environment, options):
    account = wallet.create(environment, options())

    path = options().wallet_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text())["crypto"]["kdf"] == "scrypt"
    assert wallet.address_of(options()) == account.address
    assert wallet.unlock(environment, options()).key == account.key


def test_wallet__default_strength__is_that_of_the_standard(tmp_path):
    environment = Environment(tmp_path, tmp_path, is_interactive=False, is_terminal=False)

    assert environment.scrypt_work == 2**18


def test_wallet__imported__has_the_keys_address(environment, options, tmp_path):
    account = wallet.import_key(environment, options(), written(tmp_path / "raw", KEY))

    assert account.address == ADDRESS == wallet.address_of(options())
    assert KEY[2:] not in options().wallet_file.read_text()


@pytest.mark.parametrize("act", [wallet.create, lambda *two: wallet.import_key(*two, Path("unread"))])
def test_wallet__exists__is_never_overwritten(environment, options, tmp_path, monkeypatch, act):
    monkeypatch.setattr(wallet, "load_key", lambda *_: Account.from_key(KEY))
    before = wallet.create(environment, options())

    with pytest.raises(Failure, match="never overwritten") as caught:
        act(environment, options())

    assert caught.value.status is ExitStatus.WALLET
    assert wallet.unlock(environment, options()).address == before.address


def test_j02_wallet__made_by_another_run_while_the_password_is_typed__is_not_overwritten(
    environment, options, monkeypatch
):
    first: list[str] = []

    def typed(self, prompt, *, is_new=False):
        if not first:
            first.append("begun")
            first[0] = wallet.create(environment, options()).address
        return PASSWORD

    monkeypatch.setattr(Environment, "ask_password", typed)
    with pytest.raises(Failure, match="there is a wallet already; it is never overwritten") as caught:
        wallet.create(environment, options(password_file=None))

    assert caught.value.status is ExitStatus.WALLET
    assert wallet.address_of(options()) == first[0]
    assert [path.name for path in options().wallet_file.parent.iterdir()] == ["wallet.json"]


def test_wallet__empty_password__is_refused(environment, options, tmp_path):
    empty = written(tmp_path / "empty", "\n")

    with pytest.raises(Failure, match="empty password"):
        wallet.create(environment, options(password_file=empty))

    assert not options().wallet_file.exists()


def test_wallet__other_password__is_refused_without_telling_it(environment, options, tmp_path):
    wallet.create(environment, options())
    other = written(tmp_path / "other", "canary-password")

    with pytest.raises(KeyFileError, match="not a keystore that this password opens") as caught:
        wallet.unlock(environment, options(password_file=other))

    assert "canary" not in str(caught.value)


def test_wallet__others_may_read_it__is_refused(environment, options):
    wallet.create(environment, options())
    options().wallet_file.chmod(0o644)

    with pytest.raises(KeyFileError, match="chmod 600"):
        wallet.unlock(environment, options())


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"address": 5}', '{"address": "zz"}', '{"address":'])
def test_wallet__is_no_keystore__is_refused(environment, options, text):
    options().wallet_file.parent.mkdir()
    written(options().wallet_file, text)

    with pytest.raises(KeyFileError, match="not a keystore"):
        wallet.address_of(options())


def test_wallet__says_another_address__is_refused(environment, options):
    wallet.create(environment, options())
    document = json.loads(options().wallet_file.read_text())
    written(options().wallet_file, json.dumps({**document, "address": ADDRESS[2:]}))

    with pytest.raises(KeyFileError, match="another address"):
        wallet.unlock(environment, options())


def test_wallet__missing__says_how_to_make_one(environment, options):
    for act in (wallet.address_of, lambda given: wallet.unlock(environment, given)):
        with pytest.raises(Failure, match="no wallet: `moorage register` makes one") as caught:
            act(options())
        assert caught.value.status is ExitStatus.WALLET


def test_wallet__nobody_to_ask_for_the_password__says_what_to_give(environment, options):
    with pytest.raises(Failure, match="--password-file") as caught:
        wallet.create(environment, options(password_file=None))

    assert caught.value.status is ExitStatus.WALLET


def test_wallet__password_file_is_missing__says_which(environment, options, tmp_path):
    with pytest.raises(KeyFileError, match="gone: no such password file"):
        wallet.create(environment, options(password_file=tmp_path / "gone"))


def test_key_file__raw_key__goes_without_wallet_and_password(environment, options, tmp_path):
    given = options(key_file=written(tmp_path / "raw", KEY), password_file=None)

    assert wallet.address_of(given) == ADDRESS == wallet.unlock(environment, given).address


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (KEY, 0o644, "chmod 600"),
        ("0x" + "5e" * 31, 0o600, "neither 64 hex digits"),
        ("canary", 0o600, "neither 64 hex digits"),
        ("", 0o600, "neither 64 hex digits"),
    ],
)
def test_key_file__unusable__is_refused_without_telling_it(options, tmp_path, text, mode, words):
    with pytest.raises(KeyFileError, match=words) as caught:
        wallet.address_of(options(key_file=written(tmp_path / "raw", text, mode)))

    assert "5e5e" not in str(caught.value) and "canary" not in str(caught.value)


# ------------------------------------------------------------------ wallet new, import, list, export


@pytest.fixture
def tenant(tmp_path, monkeypatch) -> Person:
    monkeypatch.chdir(tmp_path)
    return person(tmp_path)


def test_j12_wallet__exported_and_imported__is_the_same_key(tenant, tmp_path):
    made = tenant.moorage("wallet", "new", "-o", "json", typed="one\none\n")
    saved = tenant.moorage("wallet", "export", "backup.json", typed="one\n")
    other = person(tmp_path / "elsewhere")
    restored = other.moorage("wallet", "import", "backup.json", "-o", "json", typed="one\ntwo\ntwo\n")
    raw = other.moorage("wallet", "export", "raw", "--raw", typed="y\ntwo\n")
    third = person(tmp_path / "third").moorage("wallet", "import", "raw", "-o", "json", typed="three\nthree\n")

    assert [each.status for each in (made, saved, restored, raw, third)] == [ExitStatus.OK] * 5, restored.err
    assert made.json["address"] == restored.json["address"] == third.json["address"]
    assert json.loads((tmp_path / "backup.json").read_text())["crypto"]["kdf"] == "scrypt"
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("backup.json", "raw")} == {0o600}


def test_j12_wallet_export__other_password_not_agreed_or_something_there__writes_nothing(tenant, tmp_path):
    tenant.moorage("wallet", "new", typed="one\none\n")
    written(tmp_path / "there", "canary")

    wrong = tenant.moorage("wallet", "export", "copy", typed="other\n")
    declined = tenant.moorage("wallet", "export", "copy", "--raw", typed="n\n")
    alone = tenant.moorage("wallet", "export", "copy", "--raw")
    there = tenant.moorage("wallet", "export", "there", typed="one\n")

    assert wrong.status is there.status is ExitStatus.WALLET and "never overwritten" in there.err
    assert (declined.status, alone.status) == (ExitStatus.ABORTED, ExitStatus.USAGE) and "--yes" in alone.err
    assert not (tmp_path / "copy").exists() and (tmp_path / "there").read_text() == "canary"


def test_j12_wallet_export__something_comes_there_while_the_password_is_typed__is_not_overwritten(
    tenant, tmp_path, monkeypatch
):
    tenant.moorage("wallet", "new", typed="one\none\n")

    def typed(self, prompt, *, is_new=False):
        written(tmp_path / "copy", "canary")
        return "one"

    monkeypatch.setattr(Environment, "ask_password", typed)
    result = tenant.moorage("wallet", "export", "copy")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    linked = tenant.moorage("wallet", "export", "link")

    assert result.status is linked.status is ExitStatus.WALLET and "copy: there is something already" in result.err
    assert (tmp_path / "copy").read_text() == "canary" and not (tmp_path / "nothing").exists()


def test_wallet_list__several__shows_address_file_and_what_is_wrong(tenant, tmp_path):
    assert "no wallets" in tenant.moorage("wallet", "list").out
    made = tenant.moorage("wallet", "new", "-o", "json", typed="one\none\n").json
    second = str(tmp_path / "second.json")
    named = tenant.moorage("wallet", "new", "--wallet", second, "-o", "json", typed="one\none\n").json
    tenant.moorage("context", "add", "second", "--wallet", second)
    open_to_all = written(tmp_path / ".config/moorage/open.json", "{}", 0o644)

    found = tenant.moorage("wallet", "list", "-o", "json").json
    text = tenant.moorage("wallet", "list").out

    assert {(each["address"], each["file"]) for each in found} == {
        (made["address"], made["file"]),
        (named["address"], second),
        (None, str(open_to_all)),
    }
    assert made["address"] in text and "chmod 600" in text


def test_wallet__in_use__is_told_by_context_and_option(tenant, tmp_path):
    second = str(tmp_path / "second.json")
    made = tenant.moorage("wallet", "new", "--wallet", second, "-o", "json", typed="one\none\n").json
    tenant.moorage("context", "add", "second", "--wallet", second)

    again = tenant.moorage("wallet", "new", typed="one\none\n")

    assert again.status is ExitStatus.WALLET and f"{second}: there is a wallet already" in again.err
    assert tenant.moorage("wallet", "export", "copy", "-o", "json", typed="one\n").json["address"] == made["address"]


@pytest.mark.parametrize(("mode", "is_refused"), [(0o777, True), (0o770, True), (0o755, False), (0o1777, False)])
def test_j02_wallet__directory_that_others_may_write__is_refused(environment, options, mode, is_refused):
    wallet.create(environment, options())
    options().wallet_file.parent.chmod(mode)

    try:
        if not is_refused:
            assert wallet.address_of(options())
            return
        with pytest.raises(Failure, match="chmod go-w"):
            wallet.address_of(options())
    finally:
        options().wallet_file.parent.chmod(0o700)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644, 0o602])
def test_j02_wallet__any_right_of_others__is_refused(environment, options, mode):
    wallet.create(environment, options())
    options().wallet_file.chmod(mode)

    for act in (wallet.address_of, lambda given: wallet.unlock(environment, given)):
        with pytest.raises(KeyFileError, match="chmod 600"):
            act(options())


def test_j02_j03_wallet__made_as_everybody_makes_one__is_strong_and_in_no_list_of_processes(tmp_path):
    password = written(tmp_path / "password", "canary-password")
    raw = written(tmp_path / "raw", KEY)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MOORAGE_PASSWORD_FILE": str(password)}
    arguments = [sys.executable, "-m", "cli.main", "wallet", "import", str(raw)]
    seen = b""

    with subprocess.Popen(arguments, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with suppress(OSError):
                seen += Path(f"/proc/{process.pid}/cmdline").read_bytes()
            time.sleep(0.01)

    assert process.returncode == 0 and b"wallet\0import" in seen
    assert b"canary" not in seen and KEY[2:].encode() not in seen
    parameters = json.loads((tmp_path / ".config/moorage/wallet.json").read_text())["crypto"]["kdfparams"]
    assert (parameters["n"], parameters["dklen"]) == (2**18, 32)

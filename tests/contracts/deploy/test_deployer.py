"""Who pays for a deployment: a key file, a key in the environment, or the first account of a development chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from scripts.deployment import DeploymentRefused
from scripts.deployment.deployer import deployer

KEY = "0x" + "5e" * 32
ADDRESS = Account.from_key(KEY).address


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEPLOYER_ID", "DEPLOYER_KEY", "DEPLOYER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def keystore(tmp_path: Path) -> str:
    path = tmp_path / "cold.json"
    path.write_text(json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), "open sesame", kdf="pbkdf2", iterations=2)))
    return str(path)


def refusal() -> str:
    with pytest.raises(DeploymentRefused) as it:
        deployer(is_development=True)
    return str(it.value)


def test_deployer__development_chain__is_its_first_account(accounts: Any) -> None:
    assert deployer(is_development=True) == accounts[0]


def test_deployer__live_chain_and_no_key__is_refused() -> None:
    with pytest.raises(DeploymentRefused, match=r"^no deployer: set DEPLOYER_ID to a key .*, or DEPLOYER_KEY"):
        deployer(is_development=False)


def test_deployer__key_in_the_environment__is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYER_KEY", KEY)

    assert deployer(is_development=False).address == ADDRESS


@pytest.mark.parametrize("key", ["0x1234", "secret-but-no-key", "0x" + "00" * 32, "0x" + "ff" * 32])
def test_deployer__bad_key__is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("DEPLOYER_KEY", key)

    assert refusal() == "DEPLOYER_KEY is not a private key: 32 bytes in hex"


def test_deployer__key_file__is_opened_with_the_password(monkeypatch: pytest.MonkeyPatch, keystore: str) -> None:
    monkeypatch.setenv("DEPLOYER_ID", keystore)
    monkeypatch.setenv("DEPLOYER_PASSWORD", "open sesame")

    assert deployer(is_development=False).address == ADDRESS


def test_deployer__no_password_given__is_asked_for(monkeypatch: pytest.MonkeyPatch, keystore: str) -> None:
    monkeypatch.setenv("DEPLOYER_ID", keystore)
    monkeypatch.setattr("brownie.network.account.getpass", lambda prompt: "open sesame")

    assert deployer(is_development=False).address == ADDRESS


def test_deployer__wrong_password__is_refused(monkeypatch: pytest.MonkeyPatch, keystore: str) -> None:
    monkeypatch.setenv("DEPLOYER_ID", keystore)
    monkeypatch.setenv("DEPLOYER_PASSWORD", "wrong")

    assert refusal() == f"DEPLOYER_ID: key {keystore} does not open: MAC mismatch"


def test_deployer__no_such_key_file__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYER_ID", "nobody-has-this-key")
    monkeypatch.setenv("DEPLOYER_PASSWORD", "")

    assert refusal().startswith("DEPLOYER_ID: no key nobody-has-this-key; there are: ")


def test_deployer__two_of_them__is_refused(monkeypatch: pytest.MonkeyPatch, keystore: str) -> None:
    monkeypatch.setenv("DEPLOYER_ID", keystore)
    monkeypatch.setenv("DEPLOYER_KEY", KEY)

    assert refusal() == "DEPLOYER_ID and DEPLOYER_KEY are both set: which one is to pay?"

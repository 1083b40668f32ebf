"""What `moorage-provider rotate` says and asks before it begins a rotation, with a terminal and without one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from moorage import pki
from moorage.chain.rpc import ChainError
from moorage.types import Address, ProviderNumber
from provider_agent.commands.rotate import command
from provider_agent.registration import RegistrationError
from provider_agent.shell.authority import store_root
from tests.bytecode import ROOT
from tests.operator_desk import SETTINGS

MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
OPTIONS = ("--owner-key-file", "owner")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("provider.toml").write_text(SETTINGS.format(rpc="http://127.0.0.1:1"))
    store(Path("data"), "root.pem")
    return Path("data")


def store(data: Path, name: str) -> None:
    store_root(pki.create_root(ProviderNumber(1), Address("0x" + "22" * 20), MADE), data / name)


def rotate(*options: str) -> tuple[str, BaseException | None]:
    """Return what the command says where nobody can be asked, and its error."""
    result = CliRunner().invoke(command, [*OPTIONS, *options])
    return result.output, result.exception


def went_on(error: BaseException | None) -> bool:
    """Return whether it came as far as the market file, which it needs next and which is not there."""
    return isinstance(error, ChainError | OSError) and "market.json" in str(error)


def test_h22_rotate__none_is_under_way_and_nobody_is_there__says_what_it_would_do_and_begins_nothing() -> None:
    said, error = rotate()

    assert (said, type(error)) == ("", RegistrationError)
    assert "none was completed with this data_dir, data (root made: 2026-01-02 03:04 UTC)" in str(error)
    assert "cuts the connections that are open through tunnels then" in str(error)
    assert str(error).endswith("Nobody to ask: give --yes to begin a rotation")


def test_h22_rotate__one_was_completed__says_when_and_asks(data: Path) -> None:
    (data / "rotated").write_text("2026-03-01T12:30:00+00:00\n")
    master, slave = pty.openpty()
    os.write(master, b"n\n")

    ended = subprocess.run(
        [sys.executable, "-m", "provider_agent.main", "rotate", *OPTIONS],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=slave,
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (130, b"")
    assert b"no rotation is under way; the last one was completed at 2026-03-01 12:30 UTC (root made" in ended.stderr
    assert b"Begin a rotation? [y/N]" in ended.stderr


def test_h22_rotate__is_agreed_to__says_what_it_does_and_goes_on() -> None:
    said, error = rotate("--yes")

    assert "no rotation is under way" in said
    assert went_on(error), error


@pytest.mark.parametrize("name", ["root-next.pem", "root-old.pem"])
def test_h22_rotate__one_is_under_way__goes_on_without_a_question(data: Path, name: str) -> None:
    store(data, name)

    said, error = rotate()

    assert said == ""
    assert went_on(error), error


def test_h22_rotate__time_of_the_last_one_is_garbage__says_what_to_do(data: Path) -> None:
    (data / "rotated").write_text("garbage")

    _, error = rotate()

    assert (type(error), str(error)) == (RegistrationError, "data/rotated: is no time: remove it")


def test_h22_rotate__root_is_not_here__says_so(data: Path) -> None:
    for path in data.iterdir():
        path.unlink()

    assert "(root made: not here)" in str(rotate()[1])

"""Whatever is written behind an option, the answer is in words, and never a fault inside of the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.commands.logs import _since
from cli.failures import ExitStatus
from cli.main import COMMANDS, program
from tests.cli_runner import person

VALUES = (
    *("-1", "0", "1.5", "NaN", "-inf", "1e400", "9" * 30, "9" * 5_000, "٣٣٣", "800000d", "99999999999999999999d"),
    *("", " ", "all", "{}", "../..", "/", "a" * 5_000, "~nobody-of-that-name/x", "a\udcff", "\x1b[2J\u202e"),
    *("https://[", "0x" + "f" * 64, "0x" + "F" * 40, "@", "1/0"),
)
"""Numbers that are none or too large, bytes that are not UTF-8, controls, and what looks like something."""
FAULTS = ("Traceback", "internal error", "object at 0x")


SHARED = {"context_name", "rpc_url", "market_file", "output", "wallet_file", "key_file", "password_file"}
SHARED |= {"key_descriptor", "signer_url", "address", "unsigned_file"}
"""Options of every command; they are tried with two."""


def commands(path: tuple[str, ...], found: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command with its words, or those inside of it."""
    if not isinstance(found, click.Group):
        yield path, found
        return
    for name, each in found.commands.items():
        yield from commands((*path, name), each)


def calls(path: tuple[str, ...], command: click.Command, value: str) -> Iterator[tuple[str, ...]]:
    """Yield calls that have the value at each place that takes one; at others there is something."""
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    words = ["1"] * len(arguments)
    for option in command.params:
        if (
            isinstance(option, click.Option)
            and not option.is_flag
            and (option.name not in SHARED or path[0] in ("register", "wallet"))
        ):
            yield *path, f"{option.opts[-1]}={value}", *words
    for place in range(len(arguments)):
        yield *path, "--", *words[:place], value, *words[place + 1 :]


@pytest.mark.parametrize("name", COMMANDS)
def test_commands__any_value_anywhere__is_answered_in_words(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tenant = person(tmp_path, RPC="http://127.0.0.1:1")
    found = program.get_command(click.Context(program), name)
    assert found is not None

    told = {
        call: tenant.moorage(*call)
        for path, each in commands((name,), found)
        for value in VALUES
        for call in calls(path, each, value)
    }

    assert not [call for call, result in told.items() if any(each in result.err + result.out for each in FAULTS)]


def test_program__word_that_is_not_utf_8__is_refused_as_what_it_is(tmp_path: Path) -> None:
    result = person(tmp_path).moorage("exec", "web", "cat", "caf\udce9")

    assert result.status == ExitStatus.USAGE
    assert "caf\\xe9' is not UTF-8: write it in UTF-8" in result.err


def test_program__key_that_is_not_utf_8__is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "0x" + "1" * 64 + "\udcff"
    monkeypatch.setenv("MOORAGE_KEY", key)

    result = person(tmp_path, KEY=key).moorage("--version")

    assert result.status == ExitStatus.USAGE
    assert "MOORAGE_KEY says is not UTF-8" in result.err and "1111" not in result.err


def test_logs__since_before_all_times__asks_for_everything() -> None:
    assert _since("800000d") == "1970-01-01T00:00:00.000000000Z"


@pytest.mark.parametrize("word", ["use", "remove"])
def test_context__no_name__is_refused_and_changes_nothing(word: str, tmp_path: Path) -> None:
    tenant = person(tmp_path)
    assert tenant.moorage("context", "add", "dev", "--rpc", "http://127.0.0.1:1").status == ExitStatus.OK
    before = tenant.moorage("context", "list").out

    result = tenant.moorage("context", word, "")

    text = "moorage: no context '': there are dev; `moorage context add` makes one\n"
    assert (result.status, result.err) == (ExitStatus.USAGE, text)
    assert tenant.moorage("context", "list").out == before

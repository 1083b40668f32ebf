"""Completion in a real bash, with the script that the program prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.commands.completion import SHELLS
from cli.completing import services
from cli.main import COMMANDS
from tests.cli_runner import person

ROOT = Path(__file__).resolve().parent.parent.parent
PRESS_TAB = """
eval "$(moorage completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
_moorage_completion moorage 2>&1
printf '%s\\n' "${COMPREPLY[@]}"
"""
FILE = """version: "0.1"  # services:
services:
  web:
    image: a
  "$(touch canary)":
    image: b
  db: {image: c}
deployment:
  services:
    other: {}
"""


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A shell's environment in which `moorage` is this source tree's program."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "moorage").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli.main "$@"\n')
    (programs / "moorage").chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def press_tab(shell: dict[str, str], folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word; compopt works only inside of a real completion."""
    script = f"compopt() {{ :; }}\n{PRESS_TAB}"
    command = ["bash", "--norc", "-c", script, "bash", *words]
    ran = subprocess.run(command, env=shell, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    return ran.stdout.split()


def record(folder: Path, digit: str) -> str:
    path = folder / "state" / "moorage" / "1-0xabc" / "0xdef" / f"{digit * 64}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"file": "/app/moorage.yml"}))
    return f"0x{digit * 64}"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("moorage", "st"), {name for name in COMMANDS if name.startswith("st")}),
        (("moorage", "deploy", "--de"), {"--detach"}),
        (("moorage", "completion", ""), set(SHELLS)),
        (("moorage", "list", "--output", "j"), {"json"}),
    ],
)
def test_completion__in_bash__offers_what_can_stand_there(shell, tmp_path, words, offered):
    assert set(press_tab(shell, tmp_path, *words)) == offered


def test_completion__deployment_in_bash__is_one_that_this_machine_has_made(shell, tmp_path):
    first, _ = record(tmp_path, "a"), record(tmp_path, "b")
    (tmp_path / "state/moorage/1-0xabc/0xdef/x; touch canary.json").write_text("{}")

    assert press_tab(shell, tmp_path, "moorage", "status", "--deployment", "0xa") == [first]
    assert len(press_tab(shell, tmp_path, "moorage", "delete", "--deployment", "")) == 2
    assert not (tmp_path / "canary").exists()


def test_completion__context_in_bash__is_one_of_those_that_are_kept(shell, tmp_path):
    kept = tmp_path / ".config/moorage/contexts.json"
    kept.parent.mkdir(mode=0o700, parents=True)
    kept.write_text('{"contexts": {"home": {"rpc": "http://h/canary"}, "work": {}}}')
    kept.chmod(0o600)

    assert press_tab(shell, tmp_path, "moorage", "context", "use", "h") == ["home"]
    assert press_tab(shell, tmp_path, "moorage", "list", "--context", "") == ["home", "work"]
    kept.write_text("nonsense")
    assert press_tab(shell, tmp_path, "moorage", "context", "use", "h") == []


def test_completion__state_directory_full_of_nonsense__says_nothing(shell, tmp_path):
    (tmp_path / "state/moorage/1-0xabc").mkdir(parents=True)
    (tmp_path / "state/moorage/1-0xabc/0xdef").write_text("no directory")

    assert press_tab(shell, tmp_path, "moorage", "status", "--deployment", "") == []


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        (FILE, ["web", "db"]),
        ("", []),
        ("services: {a: 1}\n", []),
        ("services:\n- a\n", []),
        ("\tservices:\n", []),
    ],
)
def test_completion__services_of_a_file__are_those_that_it_names_itself(tmp_path, text, offered):
    (tmp_path / "moorage.yml").write_text(text)
    context = click.Context(click.Command("logs"))
    context.params["file"] = tmp_path / "moorage.yml"

    assert [item.value for item in services(context, "")] == offered
    assert [item.value for item in services(context, "w")] == [name for name in offered if name[0] == "w"]


def test_completion__file_that_is_none__offers_no_services(tmp_path):
    context = click.Context(click.Command("logs"))
    for path in (tmp_path, tmp_path / "absent", Path("/dev/zero")):
        context.params["file"] = path
        assert services(context, "") == []


@pytest.mark.parametrize("name", SHELLS)
def test_completion__each_shell__has_a_script_of_its_own(tmp_path, name):
    result = person(tmp_path).moorage("completion", name)

    assert (result.status, result.err) == (0, "")
    assert f"_MOORAGE_COMPLETE={name}_complete" in result.out


def test_completion__of_a_command__imports_none():
    code = "import sys; from cli.main import run\ntry: run([])\nfinally: print(sorted(sys.modules), file=sys.stderr)"
    environment = {**os.environ, "_MOORAGE_COMPLETE": "bash_complete", "COMP_WORDS": "moorage ", "COMP_CWORD": "1"}

    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT)

    assert ran.stdout.split() == [f"plain,{name}" for name in COMMANDS]
    assert "'cli.commands" not in ran.stderr

"""What `--help` says, of the program and of every command: grouped, with examples that can be typed, 80 columns."""

from __future__ import annotations

import re
import shlex

import pytest

from cli.main import COMMANDS, SECTIONS
from tests.cli_runner import person
from tests.command_tree import EVERY, LEAVES, options_of

COLUMNS = 80


def test_help__all_commands__stand_in_one_section_each(tmp_path):
    shown = person(tmp_path).moorage("--help").out

    assert sorted(name for names in SECTIONS.values() for name in names if name in COMMANDS) == sorted(COMMANDS)
    for title, names in SECTIONS.items():
        known = [name for name in names if name in COMMANDS]
        section = shown.split(f"{title}:\n")[1].split("\n\n")[0] if known else ""
        assert [line.split()[0] for line in section.splitlines()] == known


@pytest.mark.parametrize("path", [(), *EVERY], ids=" ".join)
def test_help__of_everything__fits_a_terminal_of_80_columns(tmp_path, monkeypatch, path):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    shown = person(tmp_path).moorage(*path, "--help").out

    assert [line for line in shown.splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("path", [(), *(path for path in EVERY if path not in LEAVES)], ids=" ".join)
def test_help__of_a_group__has_each_line_whole(tmp_path, monkeypatch, path):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    shown = person(tmp_path).moorage(*path, "--help").out

    assert [line for line in shown.splitlines() if line.startswith("  ") and line.endswith("...")] == []


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help__of_a_command__has_examples_that_it_would_take(path):
    command = LEAVES[path]
    examples = re.findall(r"\bmoorage [^)|>#\n]*", command.epilog or "")
    assert examples, "no example"

    for line in examples:
        words = shlex.split(line)
        assert tuple(words[1 : 1 + len(path)]) == path
        command.make_context(line, words[1 + len(path) :], resilient_parsing=False).close()


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help__of_an_option__says_what_it_is_for(path):
    silent = [each.name for each in options_of(EVERY[path]) if not each.help]

    assert silent == []


@pytest.mark.parametrize(("typed", "meant"), [("statsu", "status"), ("depoly", "deploy"), ("validat", "validate")])
def test_program__command_mistyped__says_which_one_is_meant(tmp_path, typed, meant):
    result = person(tmp_path).moorage(typed, "-v")

    assert (result.status, result.err.count("\n")) == (2, 1)
    assert f"No such command '{typed}'. Did you mean" in result.err and f"'{meant}'" in result.err

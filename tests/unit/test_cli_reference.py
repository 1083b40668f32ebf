"""docs/command-line.md beside the program: commands, options, defaults and exit codes are as click has them."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cli.failures import ExitStatus
from tests.command_tree import EVERY, LEAVES, Words, options_of

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs/command-line.md").read_text(encoding="utf-8")
SHARED = "Options of every command"
LONG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
QUOTED_COMMAND = re.compile(r"(?:`|^\$ |^)moorage ([a-z][^`\n#|]*)", re.MULTILINE)
"""In the text, or a line of a block."""
WITHOUT_NODE = (("doctor",), ("validate",), ("wallet", "sign"), ("exec",))
"""They take the options, and do not end otherwise for lack of a node: `exec` has a code of its own for all that."""
OTHERS = {125}
CODES = re.compile(r"^Exit codes: (.*)\.$", re.MULTILINE)


def sections() -> dict[str, str]:
    """Return heading -> text; a heading of the third level begins a section of its own."""
    parts = re.split(r"^###? (.*)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


SECTIONS = sections()
TABLE = "\n".join(re.findall(r"^\| `-.*$", PAGE, re.MULTILINE)).replace("\\|", "/")
"""The rows of all tables of options: those that several commands have."""


def section_of(words: Words) -> str:
    """Return the section about a command: of its own name, or of the group that it is in."""
    for length in range(len(words), 0, -1):
        name = " ".join(words[:length])
        for heading, text in SECTIONS.items():
            if name in heading.split(", "):
                return text
    raise AssertionError(f"docs/command-line.md has no section {' '.join(words)!r}")


def commands_in(heading: str) -> list[click.Command]:
    """Return what a heading is about, with what is in its groups."""
    named = [tuple(name.split()) for name in heading.split(", ")]
    return [command for words, command in EVERY.items() if any(words[: len(name)] == name for name in named)]


def long_name(option: click.Option) -> str:
    return next(name for name in (*option.opts, *option.secondary_opts) if name.startswith("--"))


def is_shared(option: click.Option) -> bool:
    return any(f"`{name}" in TABLE for name in option.opts)


def default_of(option: click.Option) -> str | None:
    """Return a default as a person would type it; None if there is none to be told."""
    if option.is_flag or option.multiple or not option.show_default:
        return None
    return str(option.default)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_reference__options_of_a_command__are_all_in_its_section_with_their_defaults(words):
    text = section_of(words)
    own = [option for option in options_of(LEAVES[words]) if not is_shared(option)]

    assert [long_name(option) for option in own if not any(name in text for name in (*option.opts,))] == []
    for option in own:
        default = default_of(option)
        pattern = "|".join(rf"{re.escape(name)}[ =`|]+{re.escape(str(default))}" for name in option.opts)
        assert default is None or re.search(pattern, text), f"{option.opts}: the default {default} is not told"


@pytest.mark.parametrize("heading", SECTIONS)
def test_reference__options_that_a_section_names__are_there(heading):
    commands = commands_in(heading)
    if not commands:
        return
    known = {name for command in commands for option in options_of(command) for name in option.opts}
    known |= set(LONG.findall(TABLE))
    text = QUOTED_COMMAND.sub("", SECTIONS[heading])

    assert set(LONG.findall(text)) - known - {"--help"} == set()


@pytest.mark.parametrize("quoted", sorted(set(QUOTED_COMMAND.findall(PAGE))))
def test_reference__command_that_is_quoted__has_these_options(quoted):
    names = quoted.split()
    words = next((tuple(names[:length]) for length in (2, 1) if tuple(names[:length]) in EVERY), None)
    assert words is not None, f"there is no `moorage {quoted}`"

    known = {name for option in options_of(EVERY[words]) for name in (*option.opts, *option.secondary_opts)}
    assert set(LONG.findall(quoted)) - known - {"--help"} == set()


def test_reference__shared_options__have_their_variables_and_defaults():
    options = {name: option for command in LEAVES.values() for option in options_of(command) for name in option.opts}
    rows = re.findall(r"^\| `(-[\w-]+)[^|\n]*\|([^|\n]*)\|([^|\n]*)\|", TABLE, re.MULTILINE)
    assert rows

    for name, variable, default in rows:
        option = options[name]
        assert variable.strip(" `") == (option.envvar or ""), name
        assert default_of(option) is None or f"`{option.default}`" in default, name


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_reference__exit_codes_of_a_command__are_told_and_fit_its_options(words):
    found = CODES.search(section_of(words))
    assert found, "no line `Exit codes: 0, 1, ….`"
    told = {int(code) for code in re.findall(r"\d+", found[1])}
    names = {option.name for option in options_of(LEAVES[words])}

    least = {ExitStatus.OK, ExitStatus.USAGE}
    if words not in WITHOUT_NODE:
        least |= {ExitStatus.CHAIN_UNAVAILABLE, ExitStatus.WRONG_MARKET} if "rpc_url" in names else set()
        least |= {ExitStatus.WALLET} if "wallet_file" in names else set()
    least |= {ExitStatus.ABORTED} if "is_agreed" in names else set()
    assert least <= told <= {*ExitStatus, *OTHERS}


def test_reference__table_of_exit_codes__is_the_programs():
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", SECTIONS["Exit codes"], re.MULTILINE)

    assert rows == [(str(status.value), status.name) for status in ExitStatus]

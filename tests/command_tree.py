"""All commands of `moorage` with the words that name them, as click knows them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cli.main import COMMANDS, program

Words = tuple[str, ...]


def _every_command() -> Iterator[tuple[Words, click.Command]]:
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        assert command is not None
        yield from _with_subcommands((name,), command)


def _with_subcommands(words: Words, command: click.Command) -> Iterator[tuple[Words, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _with_subcommands((*words, name), child)


EVERY = dict(_every_command())
LEAVES = {words: command for words, command in EVERY.items() if not isinstance(command, click.Group)}
"""What can be run."""


def options_of(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option)]

"""`moorage completion`: what makes a shell complete commands, options, files and ids."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cli.output import write

PROGRAM = "moorage"
VARIABLE = "_MOORAGE_COMPLETE"
"""Set by the shell when it asks for completions."""
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete this program's commands."""
    kind = get_completion_class(shell)
    assert kind is not None
    write(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source().rstrip())

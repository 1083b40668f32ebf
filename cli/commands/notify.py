"""`moorage notify`: who is told what of deployments; `notify NAME` is short for `notify send NAME`."""

from __future__ import annotations

import click

from cli.commands import notify_list, notify_send, notify_watch

SUBCOMMANDS = {
    "watch": notify_watch.command,
    "send": notify_send.command,
    "list": notify_list.command,
}


class NotifyCommands(click.Group):
    """A group in which everything that is no command is a notification to try out."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*SUBCOMMANDS, *context.help_option_names):
            args = ["send", *args]
        return super().parse_args(context, args)


@click.group(cls=NotifyCommands, commands=SUBCOMMANDS)
def command() -> None:
    """Tell people and programs what happens to deployments; a deployment file says whom."""

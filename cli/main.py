"""The program `moorage`: `program` is what it does, `main` turns every failure into one line and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from asyncio import CancelledError
from importlib import import_module

import click

from cli.failures import ExitStatus, explain
from moorage import __version__

COMMANDS = {
    "init": "Write a deployment file to begin with.",
    "validate": "Check a deployment file, and say what it would cost.",
    "schema": "Print the JSON Schema of the deployment file, for editors.",
    "register": "Create or import a wallet, check the market, and pay in.",
    "plan": "Show what a file would change, what it costs and what comes back.",
    "search": "Show which providers would bid for a file, and why others would not.",
    "create": "Order what a file asks for, and no more.",
    "deploy": "Order what a file asks for, deliver it, and watch over it.",
    "update": "Bring a deployment to what its file says now.",
    "status": "Show how a deployment is.",
    "logs": "Show what the workloads write.",
    "exec": "Run a command in a workload.",
    "list": "Show all deployments of the wallet.",
    "fund": "Prepay a deployment for longer.",
    "delete": "Give a deployment up and get back what was not used.",
    "withdraw": "Take tokens out of the account on the exchange.",
    "manager": "Let other keys act for a deployment.",
    "wallet": "Keys: new, import, list, export, and signing for a machine that has none.",
    "context": "Named settings: which node, which market, whose key.",
    "send": "Send what was signed elsewhere.",
    "allowance": "Who may take tokens of the wallet, and how to end that.",
    "match": "Match orders with their lowest bids, for a tip.",
    "stale": "End leases that were not confirmed in time, for a tip.",
    "finish": "End leases and deployments that are overdue, for a tip.",
    "claim": "Move what leases have earned to their providers.",
    "release": "Free the collateral of bids that have lost.",
    "notify": "Tell people and programs what happens to deployments.",
}
"""Name -> one line. A command lives in cli/commands under its name and is imported when it runs."""


class LazyCommands(click.Group):
    """A group that knows its commands by name, so that `--help` imports none of them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cli.commands.{name}").command
        command.name = name
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            raise click.UsageError(f"no command {args[0]!r}; there are {', '.join(COMMANDS)}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="moorage")
def program() -> None:
    """Lease computing capacity: say what to run in moorage.yml, providers bid for it, the lowest price wins."""


def run(arguments: list[str], environment: object = None) -> int:
    """Run the program and return how it ended; what went wrong is one line on the error output.

    Returns:
        An ExitStatus, or the code of a command that was run somewhere else.
    """
    try:
        code = program.main(arguments or ["--help"], prog_name="moorage", standalone_mode=False, obj=environment)
    except BrokenPipeError:
        # the reader of the output has gone; nothing is to be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Exception, KeyboardInterrupt, CancelledError) as error:
        if os.environ.get("MOORAGE_DEBUG") == "1":
            traceback.print_exc()
        failure = explain(error)
        is_list_of_problems = failure.status is ExitStatus.INVALID_FILE
        click.echo(failure.message if is_list_of_problems else f"moorage: {failure.message}", err=True)
        return failure.status
    else:
        return code if isinstance(code, int) else ExitStatus.OK
    return ExitStatus.OK


def main() -> None:
    """Run the program and exit."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""The program `moorage`: `program` is what it does, `main` turns every failure into one line and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING

import click

from cli.completing import add_offers
from cli.examples import add_examples
from cli.failures import ExitStatus, Failure, explain
from moorage import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "init": "Write a deployment file to begin with.",
    "validate": "Check a deployment file, and say what it would cost.",
    "schema": "Print the JSON Schema of the deployment file, for editors.",
    "register": "Create or import a wallet, check the market, and pay in.",
    "plan": "Show what a file would change, cost, and bring back.",
    "search": "Show which providers would bid for a file, and why others not.",
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
    "doctor": "Say what keeps this program from working, and what to do.",
    "completion": "Print what makes a shell complete commands and ids.",
    "wallet": "Keys: new, import, list, export, sign for a machine without.",
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
SECTIONS = {
    "Begin": ("init", "schema", "validate", "search", "plan", "register"),
    "Run": ("deploy", "create", "update", "status", "list", "logs", "exec", "delete"),
    "Watch over it": ("notify",),
    "Money": ("fund", "withdraw", "send", "allowance"),
    "Wallets and who else may": ("wallet", "context", "manager"),
    "Turn the market's crank, for a tip": ("match", "stale", "finish", "claim", "release"),
    "This program": ("doctor", "completion"),
}
"""How `--help` groups the commands."""


MAX_SHOWN_CHARACTERS = 100


class LazyCommands(click.Group):
    """A group that knows its commands by name, so that `--help` imports none of them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cli.commands.{name}").command
        command.name = name
        add_examples(name, command)
        add_offers(name, command)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0][:1].isalnum():
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=context)
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            known = [(f"{name:<{width}}", COMMANDS[name]) for name in names if name in COMMANDS]
            if known:
                with formatter.section(title):
                    formatter.write_dl(known)

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, context, incomplete)]


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
        _refuse_bytes(arguments)
        code = program.main(arguments or ["--help"], prog_name="moorage", standalone_mode=False, obj=environment)
    except BrokenPipeError:
        # the reader of the output has gone; nothing is to be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # asyncio's CancelledError too, which is not imported here: that would take long
        if os.environ.get("MOORAGE_DEBUG") == "1":
            traceback.print_exc()
        failure = explain(error)
        _tell(failure)
        return failure.status
    else:
        return code if isinstance(code, int) else ExitStatus.OK
    return ExitStatus.OK


def _tell(failure: Failure) -> None:
    """Write one line, or all problems of a deployment file with the places where they are."""
    from cli.output import note_all  # at `--help` it would only take time

    is_list_of_problems = failure.status is ExitStatus.INVALID_FILE
    note_all(failure.message if is_list_of_problems else f"moorage: {failure.message}")


def _refuse_bytes(arguments: list[str]) -> None:
    """Refuse words that are not UTF-8: neither a market nor a datacenter could be told of them.

    Raises:
        click.UsageError: it names the first.
    """
    for word in arguments:
        if not _is_utf8(word):
            shown = word.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            raise click.UsageError(f"'{shown[:MAX_SHOWN_CHARACTERS]}' is not UTF-8: write it in UTF-8")
    for name, value in os.environ.items():
        if name.startswith("MOORAGE_") and not _is_utf8(value):  # it may be a key: it is not shown
            raise click.UsageError(f"what the variable {name} says is not UTF-8: write it in UTF-8")


def _is_utf8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def fill_streams() -> None:
    """Put nothing in the place of standard files that are closed, so that no other file takes their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: its own
            setattr(sys, name, os.fdopen(file, "w" if number else "r", encoding="utf-8", closefd=False))


def main() -> None:
    """Run the program and exit."""
    fill_streams()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""What the shell is offered for values: only what this machine knows, at once, and nothing if it knows nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from cli.environment import Environment

RECORD = re.compile(r"[0-9a-f]{64}\.json")
SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
"""Anything else that stands in a file is not passed on to a shell."""
MAX_FILE_BYTES = 1 << 20
Offer = Callable[[click.Context, str], list[CompletionItem]]


class Offered(click.types.StringParamType):
    """A text for which a shell is offered something."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return self._offer(ctx, incomplete)


def add_offers(words: str, command: click.Command) -> None:
    """Have shells complete the values of a command and its subcommands."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            add_offers(f"{words} {name}", child)
    for parameter in command.params:
        offer = OFFERS.get(str(parameter.name)) or OFFERS.get(f"{words}.{parameter.name}")
        if offer is not None:
            parameter.type = Offered(offer)


def deployments(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the deployments that were submitted from this machine, with their files, the newest first."""
    environment = _environment(context)
    records = [path for path in environment.state_directory.glob("moorage/*/*/*.json") if RECORD.fullmatch(path.name)]
    newest = sorted(records, key=_age_of, reverse=True)
    offered = [CompletionItem(f"0x{path.stem}", help=_file_of(path)) for path in newest]
    return [item for item in offered if item.value.startswith(incomplete)]


def services(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the services that a deployment file names itself; what it includes is not looked at."""
    from cli.options import DEFAULT_FILE

    file = context.params.get("file") or DEFAULT_FILE
    return [CompletionItem(name) for name in _services_in(Path(file)) if name.startswith(incomplete)]


def contexts(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of the person's contexts."""
    from cli.contexts import Contexts
    from cli.failures import Failure

    try:
        known = Contexts(_environment(context).config_directory).all
    except (Failure, OSError):
        return []
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def _environment(context: click.Context) -> Environment:
    from cli.environment import Environment  # all of this is for shells that ask: other runs need not wait for it

    return context.find_object(Environment) or Environment.of_process()


def _age_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _file_of(record: Path) -> str | None:
    try:
        return str(json.loads(record.read_bytes())["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _services_in(file: Path) -> Iterator[str]:
    """Read the keys below `services:` line by line: parsing would cost more than a shell's user waits for."""
    is_inside, depth = False, 0
    for line in _lines_of(file):
        text = line.split("#", 1)[0].rstrip()
        indent = len(text) - len(text.lstrip())
        if not text:
            continue
        if indent == 0:
            is_inside, depth = text == "services:", 0
        elif is_inside and indent == (depth := depth or indent):
            name = text.strip().partition(":")[0]
            if SERVICE.fullmatch(name):
                yield name


def _lines_of(file: Path) -> list[str]:
    try:
        if not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
            return []
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


OFFERS: dict[str, Offer] = {
    "identifier": deployments,
    "service": services,
    "context_name": contexts,
    "context use.name": contexts,
    "context remove.name": contexts,
}
"""By the name of a parameter, or by that of a command and its parameter."""

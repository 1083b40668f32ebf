"""`moorage notify list`: whom a deployment file names, for which events, and what has reached them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.core.notices import Kind
from cli.core.retries import Delivery, DeliveryState
from cli.environment import Environment
from cli.notification_journal import looked_at
from cli.options import DEFAULT_FILE, Format, Options, include_options, output_options, path_option
from cli.output import emit, say, say_table

if TYPE_CHECKING:  # to read deployment files takes long to import
    from cli.recipients import Recipient
    from moorage.deployment_file import IncludeRules

COLUMNS = ("NAME", "RECIPIENT", "EVENTS", "DELIVERED", "WAITING", "FAILED", "LAST")


@click.command()
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@include_options
@output_options
def command(environment: Environment, options: Options, file: Path, rules: IncludeRules) -> None:
    """Show a file's recipients, and what was sent to them from here."""
    from cli.recipients import recipients_of

    recipients = recipients_of(file, rules, is_http_allowed=True)
    deliveries = list(_deliveries(environment.state_directory, file.resolve()))
    documents = [_document(each, [one for one in deliveries if one.recipient == each.name]) for each in recipients]
    if options.output is not Format.TEXT:
        emit(documents, options.output)
        return
    if documents:
        say_table(COLUMNS, [_cells(each) for each in documents])
    else:
        say(f"{file} has no notifications")
    for each in documents:
        if each["problem"] is not None:
            say(f"{each['name']}: {each['problem']}")


def _deliveries(state_directory: Path, file: Path) -> Iterable[Delivery]:
    """Yield what was made of all deployments of a file, on every market."""
    for path in sorted((state_directory / "moorage").glob("*/*/notifications/*.sqlite")):
        with looked_at(path) as journal:
            if journal is not None and journal.file == file:
                yield from journal.deliveries()


def _document(recipient: Recipient, deliveries: list[Delivery]) -> dict[str, Any]:
    counts = {state: sum(each.state is state for each in deliveries) for state in DeliveryState}
    tried = [each for each in deliveries if each.last_seconds is not None]
    last = max(tried, key=lambda each: each.last_seconds or 0.0, default=None)
    arrived = [each.last_seconds for each in tried if each.state is DeliveryState.DELIVERED and each.last_seconds]
    return {
        "name": recipient.name,
        "recipient": recipient.shown,
        "events": [kind.value for kind in Kind if kind in recipient.events],
        "delivered": counts[DeliveryState.DELIVERED],
        "waiting": counts[DeliveryState.WAITING],
        "failed": counts[DeliveryState.FAILED],
        "too_old": counts[DeliveryState.TOO_OLD],
        "last_delivery": _time(max(arrived)) if arrived else None,
        "problem": recipient.obstacle or (last.problem if last is not None else None),
    }


def _cells(document: dict[str, Any]) -> tuple[str, ...]:
    events = "all" if len(document["events"]) == len(Kind) else " ".join(document["events"])
    counts = (str(document[each]) for each in ("delivered", "waiting", "failed"))
    return document["name"], document["recipient"], events, *counts, document["last_delivery"] or "never"


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(int(unix_seconds), UTC).isoformat().replace("+00:00", "Z")

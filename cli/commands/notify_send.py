"""`moorage notify send`: tries out whether a recipient is reached, by a notice that is marked as a test."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.core.notices import NO_DEPLOYMENT, Kind, Notice, document
from cli.core.retries import Arrived, Outcome
from cli.delivery_options import DeliveryOptions, delivery_options, open_post, refuse_unusable, warn_of
from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import DEFAULT_FILE, Format, Options, output_options, path_option
from cli.output import emit, say

if TYPE_CHECKING:
    from cli.recipients import Recipient


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one delivery."""

    name: str
    recipient: str
    notice: str
    problem: str | None
    """None: it was delivered."""


@click.command()
@click.argument("name", required=False)
@click.option(
    "--event", "event", type=click.Choice([each.value for each in Kind]), default=Kind.DEPLOY_COMPLETE.value,
    show_default=True, metavar="EVENT", help="What it is said to be.",
)  # fmt: skip
@path_option("-f", "--file", metavar="FILE", default=DEFAULT_FILE, show_default=True, help="Deployment file.")
@delivery_options()
@output_options
def command(
    environment: Environment, options: Options, name: str | None, event: str, file: Path, delivery: DeliveryOptions
) -> None:
    """Send a test to one notification of a deployment file, or to all.

    It is sent whether they have asked for the event or not.
    """
    found = delivery.recipients(file, name)
    chosen = [each for each in found if name in (None, each.entry)]
    if not chosen:
        names = ", ".join(dict.fromkeys(each.entry for each in found)) or "none"
        wanted = f"{name!r} is no notification of {file}" if name is not None else f"{file} has no notifications"
        raise Failure(ExitStatus.USAGE, f"{wanted}; there are: {names}")
    refuse_unusable(file, chosen)
    warn_of(file, chosen)
    sent = environment.run(_send(environment, delivery, chosen, Kind(event)))
    if options.output is not Format.TEXT:
        emit([asdict(each) for each in sent], options.output)
    for each in sent if options.output is Format.TEXT else ():
        if each.problem is None:
            say(f"{each.name} ({each.recipient}): delivered {each.notice}")
    problems = [f"{each.name}: {each.problem}" for each in sent if each.problem is not None]
    if problems:
        raise Failure(ExitStatus.ERROR, f"not delivered to {len(problems)} of {len(chosen)}: {'; '.join(problems)}")


async def _send(
    environment: Environment, delivery: DeliveryOptions, recipients: Sequence[Recipient], kind: Kind
) -> list[Trial]:
    notice = Notice(
        f"evt_test_{secrets.token_hex(12)}", kind, 0, f"this is what {kind} looks like; nothing has happened"
    )
    body = json.dumps(document(notice, NO_DEPLOYMENT, int(time.time()), is_test=True)).encode()
    sent = []
    async with open_post(environment, delivery) as post:
        for recipient in recipients:
            outcome: Outcome = await post.send(recipient, notice.id, body)
            problem = None if isinstance(outcome, Arrived) else outcome.reason
            sent.append(Trial(recipient.name, recipient.shown, notice.id, problem))
    return sent

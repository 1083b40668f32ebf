"""The options that say how recipients are reached, as one value; none of them can come from a deployment file."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.environment import Environment
from cli.failures import ExitStatus, Failure
from cli.options import Command, include_options, path_option
from cli.output import note

if TYPE_CHECKING:  # what sends takes long to import, and not every run sends
    from cli.courier import Post
    from cli.recipients import Recipient
    from cli.smtp import MailServer
    from moorage.deployment_file import IncludeRules


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How recipients are reached."""

    mail_server: MailServer | None
    is_http_allowed: bool
    rules: IncludeRules
    """What deployment files may include."""

    def recipients(self, file: Path, name: str | None = None) -> tuple[Recipient, ...]:
        """Return the recipients of a deployment file; those of one notification, or all, can be reached as asked for.

        Raises:
            DeploymentFileError: the file is not valid.
            Failure: one of them can't.
        """
        from cli.recipients import Mailbox, recipients_of

        found = recipients_of(file, self.rules, is_http_allowed=self.is_http_allowed)
        for each in found:
            if isinstance(each, Mailbox) and self.mail_server is None and name in (None, each.entry):
                text = f"{file}: notification {each.entry!r} is an email: give --smtp (MOORAGE_SMTP)"
                raise Failure(ExitStatus.USAGE, text)
        return found


def warn_of(file: Path, recipients: Sequence[Recipient]) -> None:
    """Say which webhooks nothing is sent to, and which can't know who calls them."""
    from cli.recipients import Webhook

    for each in recipients:
        match each:
            case Webhook(obstacle=str(obstacle)):
                note(f"{file}: nothing is sent to notification {each.entry!r}: {obstacle}")
            case Webhook(key=None):
                text = "has no secret: nobody can tell its requests from forged ones"
                note(f"{file}: notification {each.entry!r} {text}")


def refuse_unusable(file: Path, recipients: Sequence[Recipient]) -> None:
    """See that something can be sent to one of the recipients.

    Raises:
        Failure: to none; it says what is wrong with the first.
    """
    if recipients and all(each.obstacle is not None for each in recipients):
        text = f"{file}: notification {recipients[0].entry!r}: {recipients[0].obstacle}"
        raise Failure(ExitStatus.INVALID_FILE, text)


@asynccontextmanager
async def open_post(environment: Environment, delivery: DeliveryOptions) -> AsyncIterator[Post]:
    """Give what sends to recipients; what is allowed for development can reach this machine."""
    from cli.courier import Post
    from cli.smtp import MailSender
    from cli.webhook import WebhookSender

    server = delivery.mail_server
    mails = MailSender(server, environment.tls) if server is not None else None
    reachable = environment.reachable.with_loopback() if delivery.is_http_allowed else environment.reachable
    post = Post(WebhookSender(reachable, environment.tls, time.time), mails)
    try:
        yield post
    finally:
        await post.close()


_OPTIONS = (
    click.option(
        "--smtp", "smtp_url", envvar="MOORAGE_SMTP", show_envvar=True, metavar="URL",
        help="The server that mails are sent by: smtps://user@host:465, or smtp://user@host:587 with STARTTLS.",
    ),
    path_option(
        "--smtp-password-file", variable="MOORAGE_SMTP_PASSWORD_FILE", metavar="FILE",
        help="File with the user's password, mode 0600.",
    ),
    click.option(
        "--mail-from", envvar="MOORAGE_MAIL_FROM", show_envvar=True, metavar="ADDRESS",
        help="The address that mails come from.  [default: the user of --smtp]",
    ),
    click.option(
        "--allow-http", "is_http_allowed", is_flag=True,
        help="For development: webhooks without TLS, and on this machine, too.",
    ),
)  # fmt: skip


def delivery_options() -> Callable[[Command], Command]:
    """Give a command these options, and those of what a file may include, as `delivery`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            command(delivery=_collected(given), **given)

        decorated: Command = include_options(run)
        for option in reversed(_OPTIONS):
            decorated = option(decorated)
        return decorated

    return decorate


def _collected(given: dict[str, Any]) -> DeliveryOptions:
    url, password_file, sender = given.pop("smtp_url"), given.pop("smtp_password_file"), given.pop("mail_from")
    server = _mail_server(url, password_file, sender) if url is not None else None
    return DeliveryOptions(server, given.pop("is_http_allowed"), given.pop("rules"))


def _mail_server(url: str, password_file: Path | None, sender: str | None) -> MailServer:
    from cli.smtp import mail_server

    return mail_server(url, password_file, sender)

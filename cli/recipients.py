"""Who is told: the entries of a deployment file, as the places that a notice is really sent to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.core.webhook_signature import NoSecret, key_of
from moorage.deployment_file import IncludeRules, Notification, NotificationType, load_file


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address that requests are made to."""

    name: str
    """Of its entry; the name that deliveries are kept under, so that they follow when its url is mended."""
    entry: str
    events: frozenset[str]
    url: str = field(repr=False)
    """It may hold what is nobody else's: only its host is ever shown."""
    key: bytes | None = field(repr=False)
    """What requests are signed with; None: they are not."""
    obstacle: str | None = None
    """Why nothing is sent to it: what in its entry is to be mended."""

    @property
    def shown(self) -> str:
        """Say who it is, without what may be secret."""
        signed = "signed" if self.key is not None else "not signed"
        return f"webhook at {urlsplit(self.url).hostname}, {signed}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address that mails are sent to."""

    name: str
    """Of its entry, and the address: it stays when others come and go."""
    entry: str
    events: frozenset[str]
    address: str
    obstacle: None = None
    """What is no address is an error of the file."""

    @property
    def shown(self) -> str:
        """Say who it is."""
        return f"email to {self.address}"


Recipient = Webhook | Mailbox


def recipients_of(file: Path, rules: IncludeRules, *, is_http_allowed: bool) -> tuple[Recipient, ...]:
    """Return the recipients that a deployment file names; no other secret of it is needed here.

    Raises:
        DeploymentFileError: the file is not valid.
    """
    entries = load_file(file, rules, are_secrets_needed=False).spec.notifications
    return tuple(each for entry in entries for each in _recipients(entry, is_http_allowed))


def _recipients(entry: Notification, is_http_allowed: bool) -> Iterator[Recipient]:
    events = frozenset(event.value for event in entry.events)
    if entry.type is NotificationType.EMAIL:
        for address in entry.to:
            yield Mailbox(f"{entry.name} {address}", entry.name, events, address)
        return
    yield _webhook(entry, events, is_http_allowed)


def _webhook(entry: Notification, events: frozenset[str], is_http_allowed: bool) -> Webhook:
    """Return the webhook of an entry; one that nothing can be sent to safely says so, and keeps no other from it."""
    url, key, obstacle = entry.url or "", None, None
    if entry.missing_secret is not None:
        obstacle = f"its secret is missing: there is no {entry.missing_secret} here"
    try:
        key = key_of(entry.secret.value) if entry.secret is not None else None
    except NoSecret as error:
        obstacle = str(error)
    if urlsplit(url).scheme.lower() != "https" and not is_http_allowed:
        text = "its url is not https, everybody on the way can read and alter what is sent"
        obstacle = f"{text}; --allow-http sends all the same, for development"
    return Webhook(entry.name, entry.name, events, url, key, obstacle)

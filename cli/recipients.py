"""Who is told: the entries of a deployment file, as the places that a notice is really sent to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.core.webhook_signature import NoSecret, key_of
from cli.failures import ExitStatus, Failure
from moorage.deployment_file import IncludeRules, Notification, NotificationType, load


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

    @property
    def shown(self) -> str:
        """Say who it is."""
        return f"email to {self.address}"


Recipient = Webhook | Mailbox


def recipients_of(file: Path, rules: IncludeRules, *, is_http_allowed: bool) -> tuple[Recipient, ...]:
    """Return the recipients that a deployment file names.

    Raises:
        DeploymentFileError: the file is not valid.
        Failure: a webhook that nothing can be sent to safely.
    """
    entries = load(file, rules).notifications
    return tuple(each for entry in entries for each in _recipients(file, entry, is_http_allowed))


def _recipients(file: Path, entry: Notification, is_http_allowed: bool) -> Iterator[Recipient]:
    events = frozenset(event.value for event in entry.events)
    if entry.type is NotificationType.EMAIL:
        for address in entry.to:
            yield Mailbox(f"{entry.name} {address}", entry.name, events, address)
        return
    where = f"{file}: notification {entry.name!r}"
    url = entry.url or ""
    if urlsplit(url).scheme.lower() != "https" and not is_http_allowed:
        text = f"{where}: its url is not https, everybody on the way can read and alter what is sent"
        raise Failure(ExitStatus.INVALID_FILE, f"{text}; --allow-http sends all the same, for development")
    try:
        key = key_of(entry.secret.value) if entry.secret is not None else None
    except NoSecret as error:
        raise Failure(ExitStatus.INVALID_FILE, f"{where}: {error}") from None
    yield Webhook(entry.name, entry.name, events, url, key)

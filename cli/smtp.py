"""Sends notices as mails, by the tenant's own mail server, and what its answer means for the next attempt."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.policy import SMTP
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from cli.core.mail import address, mail
from cli.core.retries import Arrived, Outcome, Refused, Unanswered
from cli.failures import ExitStatus, Failure
from cli.recipients import Mailbox
from moorage.private_file import is_private
from moorage.told import printable

SECONDS = 30.0
"""For one mail, with the connection."""
PARTING_SECONDS = 2.0
SEVEN_BITS = SMTP.clone(cte_type="7bit")
"""What every mail server takes."""
PORTS = {"smtp": 587, "smtps": 465}
REASON_CHARACTERS = 200
PERMANENT = 500
UNKNOWN_USER = (530, 534, 535, 538)
"""Answers that ask for a user, or another way to prove it (RFC 4954, section 6): they say nothing of the mail."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes mails from us."""

    host: str
    port: int
    is_tls: bool
    """TLS from the first byte; if not, STARTTLS is demanded, but not of this machine itself."""
    user: str | None
    password: str | None = field(repr=False)
    sender: str
    """The address that mails come from."""

    @property
    def demands_tls(self) -> bool:
        """Whether nothing is sent without STARTTLS."""
        return not self.is_tls and not _is_loopback(self.host)


def mail_server(url: str, password_file: Path | None, sender: str | None) -> MailServer:
    """Return the server that options name.

    Args:
        url: `smtps://user@host:465` or `smtp://user@host:587`; the user's own @ is written as %40.
        password_file: of mode 0600.
        sender: None: the user, if that is an address.

    Raises:
        Failure: something of it is no use, or the password does not stand in a file of its own.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in PORTS or parts.path.strip("/") or parts.query or parts.fragment:
        raise _wrong("--smtp", "give smtps://user@host:465, or smtp://user@host:587 for STARTTLS")
    if parts.password is not None:
        raise _wrong("--smtp", "everybody on this machine sees a password there: --smtp-password-file takes it")
    user = unquote(parts.username) if parts.username else None
    sender = sender or (user if user is not None and "@" in user else None)
    try:
        address(sender or "")
    except ValueError:
        raise _wrong("--mail-from", "give the address that mails come from, as me@example.com") from None
    assert sender is not None
    password = _password(password_file) if password_file is not None else None
    if (user is None) != (password is None):
        raise _wrong("--smtp", "a user belongs to a password: user@ in the address, --smtp-password-file beside it")
    return MailServer(host, port or PORTS[parts.scheme], parts.scheme == "smtps", user, password, sender)


class MailSender:
    """Sends one mail for each notice."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext | None) -> None:
        """
        Args:
            tls: whom to believe, this machine's authorities if there is none.
        """
        self._server = server
        self._tls = tls or ssl.create_default_context()

    async def send(self, recipient: Mailbox, identity: str, body: bytes) -> Outcome:
        """Send a notice once."""
        try:
            message = mail(json.loads(body), self._server.sender, recipient.address).as_bytes(policy=SEVEN_BITS)
        except ValueError as error:
            return Refused(_shown(error))
        client = self._client()
        try:
            outcome = await self._handed_over(client, recipient.address, message)
            await _part(client)
            return outcome
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.is_tls,
            start_tls=False if server.is_tls else True if server.demands_tls else None,
            tls_context=self._tls,
            timeout=SECONDS,
        )

    async def _handed_over(self, client: aiosmtplib.SMTP, address: str, message: bytes) -> Outcome:
        try:
            async with asyncio.timeout(SECONDS):
                await client.connect()
                await client.mail(self._server.sender)
                await client.rcpt(address)
                await client.data(message)
        except aiosmtplib.SMTPAuthenticationError as error:
            return Unanswered(f"the mail server does not take user and password: {_shown(error)}")
        except aiosmtplib.SMTPResponseException as error:
            return _meaning(error)
        except TimeoutError:
            return Unanswered(f"no answer from the mail server within {SECONDS:g} s")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return Unanswered(_shown(error))
        return Arrived()


async def _part(client: aiosmtplib.SMTP) -> None:
    """Take leave; how that goes says nothing about the mail, which would else be sent twice."""
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(PARTING_SECONDS):
            await client.quit()


def _meaning(error: aiosmtplib.SMTPResponseException) -> Outcome:
    said = f"the mail server answers {error.code} {_shown(error.message)}"
    is_final = (
        error.code >= PERMANENT
        and error.code not in UNKNOWN_USER
        and isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError)
    )
    return Refused(said) if is_final else Unanswered(said)


def _password(path: Path) -> str:
    try:
        if not is_private(path):
            raise _wrong("--smtp-password-file", f"others may read {path}: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip("\r\n")
    except FileNotFoundError:
        raise _wrong("--smtp-password-file", f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong("--smtp-password-file", f"{path} cannot be read ({type(error).__name__})") from None


def _wrong(option: str, text: str) -> Failure:
    return Failure(ExitStatus.USAGE, f"{option}: {text}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(said: object) -> str:
    return printable(str(said) or type(said).__name__)[:REASON_CHARACTERS]

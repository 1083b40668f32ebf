"""Recipients of notices: a web server and a mail server with certificates of their own, that keep what they get."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from warnings import filterwarnings

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from moorage import pki
from moorage.reachable import Reachable
from moorage.types import Address, ProviderNumber

HERE = Reachable((ip_network("127.0.0.0/8"),))
"""This machine alone counts as public."""
USER, PASSWORD = "moorage@tenant.example", "pass word"


@dataclass(frozen=True)
class Certificates:
    """What the servers show, and whom to believe for it."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    authority_pem: str


@cache
def certificates() -> Certificates:
    """Return those of this run."""
    now = datetime.now(UTC)
    root = pki.create_root(ProviderNumber(1), Address("0x" + "11" * 20), now, ["localhost"])
    issued = pki.issue_server(root, now, ["127.0.0.1", "localhost"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(issued.certificate.public_bytes(Encoding.PEM))
        file.flush()
        server.load_cert_chain(file.name)
    pem = ssl.DER_cert_to_PEM_cert(root.der)
    return Certificates(server, ssl.create_default_context(cadata=pem), pem)


@dataclass(frozen=True)
class Request:
    headers: dict[str, str]
    body: bytes


@dataclass
class Hook:
    """A web server that answers as it is told."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """The next ones; when there are none it answers 204."""

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(Request({name.lower(): value for name, value in request.headers.items()}, body))
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def hook(*, has_tls: bool = True) -> AsyncIterator[Hook]:
    """Run a web server."""
    here = Hook()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", here.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates().server if has_tls else None)
    await site.start()
    port = runner.addresses[0][1]
    here.url = f"{'https' if has_tls else 'http'}://127.0.0.1:{port}/hooks/secret-path"
    try:
        yield here
    finally:
        await runner.cleanup()


@dataclass
class MailHost:
    """A mail server that keeps what it gets."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str | None, list[str], bool]] = field(default_factory=list)
    """From, to, and whether it came over TLS."""
    answers: list[str] = field(default_factory=list)
    """The next answers to a mail; when there are none it takes it."""
    recipient_answer: str = "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        message: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(message)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, _is_over_tls(server)))
        return "250 OK"


def _is_over_tls(server: SMTP) -> bool:
    return server.transport is not None and server.transport.get_extra_info("ssl_object") is not None


def _authenticator(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
) -> AuthResult:
    is_right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
    return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def mail_host(
    *, has_tls: bool = False, has_starttls: bool = True, has_users: bool = True
) -> AsyncIterator[MailHost]:
    """Run a mail server.

    Args:
        has_tls: from the first byte.
        has_starttls: unless it has TLS already.
        has_users: only they may send.
    """
    here = MailHost()
    context = certificates().server

    def protocol() -> SMTP:
        can_start = has_starttls and not has_tls
        users: dict[str, Any] = {"authenticator": _authenticator, "auth_required": True} if has_users else {}
        filterwarnings(
            "ignore", "Requiring AUTH while not requiring TLS"
        )  # TLS from the first byte is none that it sees
        return SMTP(
            here,
            hostname="mail.example",
            tls_context=context if can_start else None,
            auth_require_tls=can_start,
            **users,
        )

    factory: Callable[[], SMTP] = protocol
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=context if has_tls else None)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        await server.wait_closed()


def write_authority(folder: Path) -> Path:
    """Write whom to believe into a file, for a process of its own."""
    path = folder / "authority.pem"
    path.write_text(certificates().authority_pem)
    return path

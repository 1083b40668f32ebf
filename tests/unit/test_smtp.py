"""Mails over real sockets: TLS before passwords, and what the mail server's answers mean."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace

import pytest

from cli.core.notices import Kind, Notice, document
from cli.core.retries import Arrived, Outcome, Refused, Unanswered
from cli.failures import ExitStatus, Failure
from cli.recipients import Mailbox
from cli.smtp import MailSender, MailServer, mail_server
from tests.factories.deployments import DEPLOYMENT
from tests.recipients import PASSWORD, USER, MailHost, certificates, mail_host

NOTICE = Notice("evt_1", Kind.LEASE_STALE, 120, "the lease is stale")
BODY = json.dumps(document(NOTICE, DEPLOYMENT, 1_700_000_000)).encode()
MAILBOX = Mailbox("ops", "ops", frozenset(), "ops@tenant.example")
OPEN = MailServer("127.0.0.1", 25, False, None, None, USER)
SERVER = MailServer("localhost", 587, False, USER, PASSWORD, USER)


async def sent(server: MailServer, host: MailHost, *, is_believed: bool = True) -> Outcome:
    sender = MailSender(replace(server, port=host.port), certificates().client if is_believed else None)
    return await sender.send(MAILBOX, "evt_1", BODY)


@pytest.mark.parametrize("is_tls", [True, False])
async def test_send__server_with_tls_and_user__gets_one_mail_over_tls(is_tls):
    async with mail_host(has_tls=is_tls) as host:
        assert await sent(replace(SERVER, is_tls=is_tls), host) == Arrived()

    assert host.envelopes == [(USER, ["ops@tenant.example"], True)]
    assert host.mails[0]["Message-ID"] == "<evt_1@tenant.example>"


async def test_send__sent_twice__is_the_same_mail():
    async with mail_host() as host:
        await sent(SERVER, host)
        await sent(SERVER, host)

    assert host.mails[0].as_bytes() == host.mails[1].as_bytes()


async def test_h33_send__elsewhere_without_starttls__sends_nothing(monkeypatch):
    monkeypatch.setattr("cli.smtp._is_loopback", lambda host: False)
    server = replace(SERVER, user=None, password=None)
    async with mail_host(has_starttls=False, has_users=False) as host:
        outcome = await sent(server, host)

    assert isinstance(outcome, Unanswered) and "STARTTLS" in outcome.reason and host.mails == []


async def test_send__on_this_machine_without_starttls__is_sent():
    async with mail_host(has_starttls=False, has_users=False) as host:
        assert await sent(replace(SERVER, user=None, password=None), host) == Arrived()

    assert host.envelopes[0][2] is False


@pytest.mark.parametrize("is_tls", [True, False])
async def test_h33_send__certificate_that_is_not_believed__sends_nothing(is_tls):
    async with mail_host(has_tls=is_tls) as host:
        outcome = await sent(replace(SERVER, is_tls=is_tls), host, is_believed=False)

    assert isinstance(outcome, Unanswered) and host.mails == []


async def test_send__wrong_password__is_tried_again_and_does_not_show_it():
    async with mail_host() as host:
        outcome = await sent(replace(SERVER, password="wrong-one"), host)

    assert (
        isinstance(outcome, Unanswered) and "user and password" in outcome.reason and "wrong-one" not in outcome.reason
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("554 rejected as spam", Refused),
        ("552 too large", Refused),
        ("451 try later", Unanswered),
        ("421 no", Unanswered),
    ],
)
async def test_send__server_does_not_take_it__is_final_with_5xx_only(answer, kind):
    async with mail_host() as host:
        host.answers = [answer]
        outcome = await sent(SERVER, host)

    assert isinstance(outcome, kind) and answer.split()[-1] in outcome.reason


@pytest.mark.parametrize(("answer", "kind"), [("550 no such user", Refused), ("450 greylisted", Unanswered)])
async def test_send__recipient_is_refused__is_final_with_5xx_only(answer, kind):
    async with mail_host() as host:
        host.recipient_answer = answer
        outcome = await sent(SERVER, host)

    assert isinstance(outcome, kind) and answer in outcome.reason


async def test_send__nobody_listens__is_tried_again():
    async with mail_host() as host:
        pass

    assert isinstance(await sent(SERVER, host), Unanswered)


async def answers(monkeypatch: pytest.MonkeyPatch, *lines: str) -> Outcome:
    """Send to a server that gives one answer after the other, and then none."""
    monkeypatch.setattr("cli.smtp.SECONDS", 0.3)
    monkeypatch.setattr("cli.smtp.PARTING_SECONDS", 0.1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            for line in lines:
                writer.write(f"{line}\r\n".encode())
                await (reader.readuntil(b"\r\n.\r\n") if line.startswith("354") else reader.readline())
            await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await MailSender(replace(OPEN, port=port), None).send(MAILBOX, "evt_1", BODY)


async def test_h33_send__server_hangs_after_it_took_the_mail__has_arrived(monkeypatch):
    outcome = await answers(monkeypatch, "220 x", "250 x", "250 ok", "250 ok", "354 go on", "250 it is mine")

    assert outcome == Arrived()


async def test_h33_send__server_hangs_after_it_refused__is_final(monkeypatch):
    outcome = await answers(monkeypatch, "220 x", "250 x", "250 ok", "550 no such user")

    assert outcome == Refused("the mail server answers 550 no such user")


async def test_send__server_wants_a_user__is_tried_again(monkeypatch):
    outcome = await answers(monkeypatch, "220 x", "250 x", "530 5.7.0 Authentication required")

    assert isinstance(outcome, Unanswered) and "530" in outcome.reason


@pytest.mark.parametrize("lines", [(), ("220 x",), ("220 x", "250 x", "250 ok", "250 ok", "354 go on")])
async def test_h33_send__server_hangs_before_it_took_the_mail__is_tried_again(monkeypatch, lines):
    assert await answers(monkeypatch, *lines) == Unanswered("no answer from the mail server within 0.3 s")


async def test_send__other_letters__are_sent_in_seven_bits():
    async with mail_host() as host:
        sender = MailSender(replace(SERVER, port=host.port), certificates().client)
        await sender.send(MAILBOX, "evt_1", json.dumps({**json.loads(BODY), "text": "größer"}).encode())

    assert host.mails[0].as_bytes().isascii() and "größer" in host.mails[0].get_content()


# ------------------------------------------------------------------ options


def secret(folder, mode=0o600):
    path = folder / "password"
    path.write_text("pass word\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://moorage%40tenant.example@mail.example", MailServer("mail.example", 465, True, USER, PASSWORD, USER)),
        ("smtp://moorage%40tenant.example@mail.example", MailServer("mail.example", 587, False, USER, PASSWORD, USER)),
        ("smtp://me@127.0.0.1:25/", MailServer("127.0.0.1", 25, False, "me", PASSWORD, "a@b.example")),
    ],
)
def test_mail_server__url__is_what_it_says(tmp_path, url, expected):
    sender = None if "%40" in url else "a@b.example"

    found = mail_server(url, secret(tmp_path), sender)

    assert found == expected and PASSWORD not in repr(found)


@pytest.mark.parametrize(
    ("host", "is_demanded"),
    [("mail.example", True), ("10.0.0.1", True), ("localhost", False), ("127.0.0.1", False), ("[::1]", False)],
)
def test_h33_mail_server__smtp__demands_tls_but_on_this_machine(host, is_demanded):
    assert mail_server(f"smtp://{host}", None, "a@b.example").demands_tls is is_demanded
    assert not mail_server(f"smtps://{host}", None, "a@b.example").demands_tls


@pytest.mark.parametrize(
    ("url", "sender", "words"),
    [
        ("mail.example", "a@b", "smtps://user@host:465"),
        ("http://mail.example", "a@b", "smtps://user@host:465"),
        ("smtp://mail.example:port", "a@b", "smtps://user@host:465"),
        ("smtp://", "a@b", "smtps://user@host:465"),
        ("smtp://[::1", "a@b", "smtps://user@host:465"),
        ("smtp://host/path", "a@b", "smtps://user@host:465"),
        ("smtp://user:secret-word@host", "a@b", "everybody on this machine sees"),
        ("smtp://user@host", "a@b", "a user belongs to a password"),
        ("smtp://host", None, "--mail-from"),
        ("smtp://host", "nobody", "--mail-from"),
        ("smtp://host", "<a@b>", "--mail-from"),
        ("smtp://host", ",a@b", "--mail-from"),
        ("smtp://a%40@host", None, "--mail-from"),
        ("smtp://host", "a@b\nBcc: c@d", "--mail-from"),
        ("smtp://host", "a@b, c@d", "--mail-from"),
    ],
)
def test_h33_mail_server__useless_or_unsafe__says_what_to_give(url, sender, words):
    with pytest.raises(Failure) as caught:
        mail_server(url, None, sender)

    assert caught.value.status is ExitStatus.USAGE
    assert words in caught.value.message and "secret-word" not in caught.value.message


def test_mail_server__password_file__is_private_and_there(tmp_path):
    with pytest.raises(Failure, match="chmod 600"):
        mail_server("smtp://me@host", secret(tmp_path, 0o640), "a@b")
    with pytest.raises(Failure, match="no such file"):
        mail_server("smtp://me@host", tmp_path / "none", "a@b")
    with pytest.raises(Failure, match="a user belongs to a password"):
        mail_server("smtp://host", secret(tmp_path), "a@b")

"""Webhooks over real sockets: where a request may go, what is in it, and what each answer means."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cli.core.retries import Arrived, Outcome, Refused, Unanswered
from cli.core.webhook_signature import headers, key_of
from cli.recipients import Webhook
from cli.webhook import WebhookSender
from moorage.reachable import PUBLIC, Reachable
from tests.recipients import HERE, certificates, hook

KEY = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOW = 1_700_000_000
BODY = json.dumps({"id": "evt_1"}).encode()


async def sent(
    url: str, *, key: bytes | None = KEY, reachable: Reachable = HERE, tls: object = True, seconds: float = 5
) -> Outcome:
    sender = WebhookSender(reachable, certificates().client if tls else None, lambda: NOW, seconds)
    try:
        return await sender.send(Webhook("ops", "ops", frozenset(), url, key), "evt_1", BODY)
    finally:
        await sender.close()


async def answered(status: int, **more: str) -> Outcome:
    async with hook() as here:
        here.answers = [(status, {name.replace("_", "-"): value for name, value in more.items()})]
        return await sent(here.url)


async def test_h33_send__webhook__gets_the_body_with_id_time_and_signature():
    async with hook() as here:
        assert await sent(here.url) == Arrived()

    (request,) = here.requests
    assert request.body == BODY and request.headers["content-type"] == "application/json"
    assert headers("evt_1", NOW, BODY, KEY).items() <= request.headers.items()


async def test_send__no_secret__is_not_signed():
    async with hook() as here:
        assert await sent(here.url, key=None) == Arrived()

    assert "webhook-signature" not in here.requests[0].headers


async def answered_with(answer: bytes, *, forever: bool = False) -> Outcome:
    """Send to somebody that writes these bytes, and then says nothing more, or goes on."""

    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.write(answer)
            while forever:
                writer.write(answer * 100)
                await writer.drain()
                await asyncio.sleep(0.01)
            await reader.read()
        writer.close()

    server = await asyncio.start_server(write, "127.0.0.1", 0)
    async with server:
        return await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret-path", seconds=0.5)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_send__success__has_arrived(status):
    assert await answered(status) == Arrived()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 415, 422])
async def test_h33_send__client_error__is_final(status):
    outcome = await answered(status)

    assert isinstance(outcome, Refused) and str(status) in outcome.reason


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504])
async def test_h33_send__server_error_or_too_many__is_tried_again(status):
    outcome = await answered(status)

    assert isinstance(outcome, Unanswered) and str(status) in outcome.reason


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=90), usegmt=True), 0.0),
        ("9" * 30, 14_400.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("1e9", 0.0),
    ],
)
async def test_send__retry_after__is_kept_to_within_reason(asked, seconds):
    assert await answered(429, Retry_After=asked) == Unanswered("it answers 429 Too Many Requests", seconds)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_h33_send__redirect__is_not_followed(status):
    async with hook() as target, hook() as here:
        here.answers = [(status, {"Location": target.url})]
        outcome = await sent(here.url)

    assert isinstance(outcome, Refused) and "where an answer leads" in outcome.reason
    assert target.requests == [] and len(here.requests) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1.2.3", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "[fd00::1]", "[fe80::1]", "100.64.0.1", "0.0.0.0", "[::]", "168.63.129.16", "224.0.0.1",
        "[64:ff9b::a00:1]", "2130706433", "0x7f000001", "127.1",
    ],
)  # fmt: skip
async def test_h33_send__private_target__is_never_connected_to(host):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]

        outcome = await sent(f"https://{host}:{port}/x", reachable=PUBLIC)

        with pytest.raises(BlockingIOError):
            listener.accept()
    assert isinstance(outcome, Unanswered) and "x" not in outcome.reason.split()  # its url may be mended
    if host != "2130706433" and not host.startswith("0x") and host != "127.1":  # resolvers differ on those
        assert "not connected to" in outcome.reason


async def test_h33_send__entry_is_to_be_mended__waits_for_it_without_sending():
    async with hook() as here:
        sender = WebhookSender(HERE, certificates().client, lambda: 0.0)
        broken = Webhook("ops", "ops", frozenset(), here.url, None, "its secret is missing")

        outcome = await sender.send(broken, "evt_1", b"{}")
        await sender.close()

    assert outcome == Unanswered("its secret is missing") and here.requests == []


async def test_send__certificate_of_nobody_that_is_believed__is_tried_again_without_sending():
    async with hook() as here:
        outcome = await sent(here.url, tls=None)

    assert isinstance(outcome, Unanswered) and "certificate" in outcome.reason.lower() and here.requests == []


async def test_send__nobody_listens__is_tried_again():
    async with hook() as here:
        pass

    assert isinstance(await sent(here.url), Unanswered)


async def test_h33_send__no_answer_in_time__is_tried_again():
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcome = await sent(f"http://127.0.0.1:{port}/", seconds=0.2)
    server.close()

    assert outcome == Unanswered("no answer within 0.2 s")


@pytest.mark.parametrize("url", ["https://", "https://exa mple/", "https://host.example:99999/", "https://[::1/"])
async def test_send__no_url__is_refused_or_unanswered_and_shows_no_path(url):
    outcome = await sent(url + "secret-path")

    assert not isinstance(outcome, Arrived) and "secret-path" not in outcome.reason


@pytest.mark.parametrize(
    "answer",
    [b"no http\r\n\r\n", b"HTTP/1.1 200 " + b"O" * 100_000, b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000],
)
async def test_h33_send__answer_that_is_no_http__is_tried_again_and_does_not_show_the_path(answer):
    outcome = await answered_with(answer)

    assert outcome == Unanswered("its answer is no HTTP")


@pytest.mark.parametrize(
    "body", [b"Content-Length: 99999999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"]
)
async def test_h33_send__answer_without_an_end__has_arrived_and_is_not_read(body):
    assert await answered_with(b"HTTP/1.1 200 OK\r\n" + body + b"x" * 60_000) == Arrived()


async def test_h33_send__answers_of_1xx_for_ever__are_no_answer():
    assert await answered_with(b"HTTP/1.1 103 Early Hints\r\n\r\n", forever=True) == Unanswered(
        "no answer within 0.5 s"
    )


async def test_send__switches_to_something_else__has_not_arrived():
    outcome = await answered_with(b"HTTP/1.1 101 Other\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")

    assert outcome == Refused("it answers 101 Other")


async def test_h33_send__failure__does_not_show_the_path():
    async with hook() as here:
        here.answers = [(500, {}), (404, {})]
        outcomes = [await sent(here.url), await sent(here.url)]
    outcomes.append(await sent(here.url))

    assert not any("secret-path" in getattr(outcome, "reason", "") for outcome in outcomes)

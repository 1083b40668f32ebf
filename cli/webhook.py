"""Sends notices to webhooks: signed, to public addresses only, and what the answer means for the next attempt."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from yarl import URL

from cli.core.retries import LONGEST_WAIT_SECONDS, Arrived, Outcome, Refused, Unanswered
from cli.core.webhook_signature import headers
from cli.recipients import Webhook
from moorage.connecting import why_unreachable
from moorage.guarded_http import GuardedHttp
from moorage.reachable import Reachable
from moorage.told import printable

SECONDS = 10.0
"""For everything: the name, the connection, and the head of the answer; its body is not read."""
REASON_CHARACTERS = 200
AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""Of the 4xx, those that say nothing of the request itself."""


class WebhookSender:
    """Makes one request for each notice."""

    def __init__(
        self, reachable: Reachable, tls: ssl.SSLContext | None, unix_time: Callable[[], float], seconds: float = SECONDS
    ) -> None:
        """
        Args:
            reachable: which addresses may be connected to.
            tls: whom to believe, this machine's authorities if there is none.
            seconds: how long an attempt may take.
        """
        self._http = GuardedHttp(reachable, tls=tls)
        self._unix_time = unix_time
        self._seconds = seconds

    async def send(self, recipient: Webhook, identity: str, body: bytes) -> Outcome:
        """Send a notice once."""
        if recipient.obstacle is not None:
            return Unanswered(recipient.obstacle)
        now = int(self._unix_time())
        head = {"Content-Type": "application/json", **headers(identity, now, body, recipient.key)}
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._http.post(URL(recipient.url, encoded=True), head, body)
        except TimeoutError:
            return Unanswered(f"no answer within {self._seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Unanswered(_reason(error))
        response.close()
        return self._meaning(response)

    async def close(self) -> None:
        """End the connections."""
        await self._http.close()

    def _meaning(self, response: aiohttp.ClientResponse) -> Outcome:
        status = response.status
        said = f"it answers {status} {printable(response.reason or '')[:REASON_CHARACTERS]}".rstrip()
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Arrived()
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return Refused(f"{said}: nothing is sent to where an answer leads")
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in AGAIN:
            return Refused(said)
        return Unanswered(said, self._asked_seconds(response.headers.get("Retry-After", "")))

    def _asked_seconds(self, value: str) -> float:
        """Return how long the recipient asks to wait (RFC 9110, 10.2.3); 0 if it does not."""
        try:
            wait = float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - self._unix_time()
        except (ValueError, OverflowError):
            return 0.0
        return min(max(wait, 0.0), LONGEST_WAIT_SECONDS)


def _reason(error: Exception) -> str:
    """Return what is wrong, without the address: it may hold a secret."""
    if isinstance(error, aiohttp.ClientResponseError):
        return "its answer is no HTTP"
    if isinstance(error, ValueError) and not isinstance(error, OSError | aiohttp.ClientSSLError):
        return "its url is none"
    return printable(why_unreachable(error))[:REASON_CHARACTERS]

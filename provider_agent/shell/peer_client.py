"""Asks other providers' agents, each side known by its certificate. Answers are strangers' bytes with limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from moorage import pki, tls
from moorage.agent_api import HOLDER_HEADER
from moorage.agent_client import Agent, origin
from moorage.connecting import why_unreachable
from moorage.told import printable
from moorage.types import Address


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take."""

    max_bytes: int
    seconds: float
    """In all, connecting included."""


class PeerError(Exception):
    """No usable answer; the message is for people."""


class PeerRefused(PeerError):
    """The agent answered no."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"it answers {status}")
        self.status = status
        self.retry_after_seconds = _seconds(headers.get("Retry-After"))
        self.holder = headers.get(HOLDER_HEADER, "")
        """Who may have what was asked for (agent_api.HOLDER_HEADER)."""


class PeerClient:
    """Makes requests in the name of this provider. Each is one connection."""

    def __init__(self, exchange: Address, credential: Callable[[], Path]) -> None:
        """
        Args:
            credential: returns where this agent's client certificate is now.
        """
        self._exchange = exchange
        self._credential = credential

    async def get(self, peer: Agent, path: str, limits: Limits) -> bytes:
        """Return the body of an answer.

        Raises:
            PeerRefused: the answer is not 200.
            PeerError: there was none, or it was too long.
        """
        body = bytearray()
        async with self.stream(peer, path, limits) as (_, chunks):
            async for chunk in chunks:
                body += chunk
        return bytes(body)

    @asynccontextmanager
    async def stream(
        self, peer: Agent, path: str, limits: Limits, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, AsyncIterator[bytes]]]:
        """Yield an answer of status 200 or 206 with its body as it comes; every failure inside is a PeerError too.

        Raises:
            PeerRefused: the answer has another status.
            PeerError: there was none, it ended early, or was too long or too slow.
        """
        try:
            context = tls.ssl_client_context(*peer.roots_der, credential=self._credential())
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=limits.seconds), auto_decompress=False, trust_env=False
                ) as session,
                session.get(
                    origin(peer.endpoint).join(URL(path, encoded=True)),
                    headers=headers,
                    ssl=context,
                    server_hostname=pki.provider_name(peer.provider, self._exchange),
                    allow_redirects=False,
                ) as response,
            ):
                if response.status not in (200, 206):
                    raise PeerRefused(response.status, response.headers)
                yield response, _bounded(response, limits.max_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, pki.PkiError) as error:
            raise PeerError(printable(why_unreachable(error))) from error


async def _bounded(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > max_bytes:
            raise PeerError("the answer is too long")
        yield chunk


def _seconds(text: str | None) -> int | None:
    return min(int(text), 3_600) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 else None

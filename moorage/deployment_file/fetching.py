"""Fetches remote includes: from public addresses only, small and soon. Slow to import, so only when there is one."""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import Future
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from moorage.connecting import why_unreachable
from moorage.deployment_file import addresses
from moorage.deployment_file.include_rules import NotIncluded
from moorage.deployment_file.yaml_tree import MAX_BYTES
from moorage.guarded_http import GuardedHttp
from moorage.reachable import PUBLIC, Reachable
from moorage.told import printable

MAX_REDIRECTS = 3
MAX_SECONDS = 10.0
"""For everything: names, connections, redirects, and the last byte."""
CHUNK_BYTES = 64 * 1024
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REASON_CHARACTERS = 200


def fetch(
    address: str,
    reachable: Reachable = PUBLIC,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
    seconds: float = MAX_SECONDS,
) -> bytes:
    """Return what stands at an address now, also where an event loop runs already.

    Args:
        reachable: which addresses may be connected to.
        resolver: of names, this machine's if there is none.
        tls: whom to believe, this machine's authorities if there is none.

    Raises:
        NotIncluded
    """
    content: Future[bytes] = Future()

    async def deliver() -> None:
        try:
            content.set_result(await _fetched_in_time(address, GuardedHttp(reachable, resolver, tls), seconds))
        except BaseException as error:
            content.set_exception(error)

    # Neither Ctrl-C nor this function waits until the loop is closed: a resolver that hangs would hold it up.
    threading.Thread(target=lambda: asyncio.run(deliver()), daemon=True).start()
    return content.result()


async def _fetched_in_time(address: str, http: GuardedHttp, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await _fetched(URL(address, encoded=True), http)
    except TimeoutError as error:
        raise NotIncluded(f"it has not arrived in {seconds:g} seconds") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotIncluded(_reason(error)) from error
    finally:
        await http.close()


async def _fetched(url: URL, http: GuardedHttp) -> bytes:
    for _ in range(MAX_REDIRECTS + 1):
        response = await http.get(url, {})
        try:
            if response.status not in REDIRECTS:
                return await _content(response)
            url = _redirected(url, response.headers.get("Location", ""))
        finally:
            response.close()
    raise NotIncluded(f"it is redirected more than {MAX_REDIRECTS} times")


def _redirected(url: URL, location: str) -> URL:
    """Return where a redirect leads.

    Raises:
        NotIncluded: nowhere that may be asked.
    """
    target = addresses.joined(str(url), location)
    shown = f"it is redirected to '{printable(target[:MAX_REASON_CHARACTERS])}'"
    if (objection := addresses.objection(target)) is not None:
        raise NotIncluded(f"{shown}: {objection}")
    if url.scheme == "https" and not addresses.is_protected(target):
        raise NotIncluded(f"{shown}: away from https")
    return URL(target, encoded=True)


async def _content(response: aiohttp.ClientResponse) -> bytes:
    if response.status != HTTPStatus.OK:
        raise NotIncluded(f"the server answers {response.status} {printable(response.reason or '')}".rstrip())
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NotIncluded("the server has compressed it, although it was asked not to")
    content = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_BYTES:
            raise NotIncluded(f"it is larger than {MAX_BYTES} bytes")
    return bytes(content)


def _reason(error: Exception) -> str:
    return printable(why_unreachable(error))[:MAX_REASON_CHARACTERS]

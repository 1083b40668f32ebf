"""HTTP to addresses that strangers choose: a name counts for nothing, only the address that is really connected to."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from moorage.reachable import Reachable

CONNECT_SECONDS = 10
SILENCE_SECONDS = 60
"""The longest time without a byte."""


class Forbidden(aiohttp.ClientError):
    """A host leads to an address that is not connected to."""


class _Guard(AbstractResolver):
    """Resolves names to allowed addresses only; what it returns is what is connected to, so no second answer counts."""

    def __init__(self, reachable: Reachable, resolver: AbstractResolver) -> None:
        self._reachable = reachable
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if self._objection(each["host"]) is None]
        if not allowed:  # what it leads to is nobody's business outside of this network
            raise Forbidden(f"{host} is not connected to: it has no public address")
        return allowed

    def _objection(self, address: str) -> str | None:
        return self._reachable.objection(ip_address(address.partition("%")[0]))

    async def close(self) -> None:
        await self._resolver.close()


class GuardedHttp:
    """Makes requests, without following where an answer leads, without cookies, proxies or .netrc."""

    def __init__(
        self, reachable: Reachable, resolver: AbstractResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        """
        Args:
            resolver: what names are looked up with, this machine's resolver if there is none.
            tls: whose certificates are believed, those of this machine's authorities if there is none.
        """
        self._reachable = reachable
        guard = _Guard(reachable, resolver or DefaultResolver())
        connector = aiohttp.TCPConnector(
            resolver=guard, use_dns_cache=False, ssl=tls or True, socket_factory=self._socket
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    async def get(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """Return an answer whose body is still to be read; the caller closes it.

        Raises:
            Forbidden: the address is one that is not connected to.
            aiohttp.ClientError, TimeoutError
        """
        return await self._request("GET", url, headers)

    async def post(self, url: URL, headers: dict[str, str], body: bytes) -> aiohttp.ClientResponse:
        """Send something, and return the answer as `get` does.

        Raises:
            Forbidden: the address is one that is not connected to.
            aiohttp.ClientError, TimeoutError
        """
        return await self._request("POST", url, headers, body)

    async def _request(
        self, method: str, url: URL, headers: dict[str, str], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        try:
            objection = self._reachable.objection(ip_address((url.host or "").partition("%")[0]))
        except ValueError:
            objection = None  # a name: the guard sees what it leads to
        if objection is not None:
            raise Forbidden(f"{url.host} is not connected to: {objection}")
        headers = {"Accept-Encoding": "identity", "User-Agent": "moorage", **headers}
        return await self._session.request(
            method, url, headers=headers, data=body, allow_redirects=False, auto_decompress=False
        )

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket for an address; it is the last word, whatever others take a host for (0x7f.1, 2130706433).

        Raises:
            Forbidden: the address is one that is not connected to.
        """
        family, kind, protocol, _, place = address
        objection = self._reachable.objection(ip_address(str(place[0]).partition("%")[0]))
        if objection is not None:
            raise Forbidden(f"it is not connected to: {objection}")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        await self._session.close()

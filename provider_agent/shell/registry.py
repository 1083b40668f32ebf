"""Asks registries for images (OCI distribution specification 1.1): manifests whole, blobs as they come.

The agent does this itself and not the engine, which would connect to wherever a registry sends it. A tenant's
credentials go to the registry and to where it says that they are exchanged for a token, and are kept nowhere.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
import msgspec
from yarl import URL

from moorage.connecting import why_unreachable
from moorage.guarded_http import GuardedHttp
from moorage.workload_secrets import Credentials
from provider_agent.core.image_names import ImageName
from provider_agent.core.oci import (
    ACCEPTED,
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_MANIFEST_BYTES,
    Descriptor,
    ImageContent,
    OciError,
    read_index,
    read_manifest,
)
from provider_agent.shell.engine import ImageNotFound, ImagePullFailed, RegistryUnreachable

MAX_TOKEN_BYTES = 64 * 1024
MAX_REDIRECTS = 5
CHUNK_BYTES = 256 * 1024
REDIRECTS = (301, 302, 303, 307, 308)
_CHALLENGE = re.compile(r'([a-z]+)="([^"]*)"')
_NO_SUCH = (HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Registry:
    """One repository of one registry, as one tenant sees it."""

    def __init__(
        self, http: GuardedHttp, name: ImageName, credentials: Credentials | None, insecure: Collection[str] = ()
    ) -> None:
        """
        Args:
            insecure: `host:port` of registries that are spoken to without TLS.
        """
        self._http = http
        self._name = name
        self._credentials = credentials
        self._insecure = insecure
        self._authorization: str | None = None

    async def content(self, architecture: str) -> tuple[str, ImageContent]:
        """Return the digest of what the name leads to now, and what it is made of on a host.

        Raises:
            ImageNotFound, ImagePullFailed: the messages hold nothing of the credentials.
        """
        try:
            kind, body = await self._manifest(self._name.reference)
            digest = _digest_of(body)
            if kind in INDEX_TYPES:
                kind, body = await self._manifest(read_index(body, architecture).digest)
            if kind not in MANIFEST_TYPES:
                raise OciError(f"the registry describes the image as {kind[:100]!r}, which is not taken")
            return digest, read_manifest(body)
        except OciError as error:
            raise ImagePullFailed(f"image {self._name.full} could not be pulled: {error}") from error

    async def blob(self, blob: Descriptor) -> AsyncGenerator[bytes, None]:
        """Yield a blob piece by piece; all that is yielded counts only when it has ended without an error.

        Raises:
            ImageNotFound, ImagePullFailed: also if it is not what its digest and size say.
        """
        found, length = hashlib.sha256(), 0
        async with self._answer(f"blobs/{blob.digest}", {}) as response:
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                found.update(chunk)
                length += len(chunk)
                if length > blob.size:
                    break
                yield chunk
        if length != blob.size or f"sha256:{found.hexdigest()}" != blob.digest:
            raise ImagePullFailed(f"{self._name.registry} sends something else than {blob.digest}")

    async def _manifest(self, reference: str) -> tuple[str, bytes]:
        async with self._answer(f"manifests/{reference}", {"Accept": ACCEPTED}) as response:
            body = await _at_most(response, MAX_MANIFEST_BYTES)
        if reference.startswith("sha256:") and _digest_of(body) != reference:
            raise ImagePullFailed(f"{self._name.registry} sends something else than {reference}")
        return response.content_type, body

    @asynccontextmanager
    async def _answer(self, path: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for something of the repository, with a token if one is asked for, and follow where it is kept."""
        url = self._url(f"v2/{self._name.repository}/{path}")
        try:
            response = await self._http.get(url, self._authorized(headers))
            if response.status == HTTPStatus.UNAUTHORIZED:
                challenge = response.headers.get("WWW-Authenticate", "")
                response.close()
                self._authorization = await self._authorize(challenge)
                response = await self._http.get(url, self._authorized(headers))
            response = await self._followed(response, url, headers)
            try:
                self._check(response, path)
                yield response
            finally:
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if isinstance(error, OciError):
                raise
            kind = RegistryUnreachable if isinstance(error, aiohttp.ClientConnectionError) else ImagePullFailed
            raise kind(f"{self._name.registry} could not be reached: {_reason(error)}") from error

    async def _followed(
        self, response: aiohttp.ClientResponse, url: URL, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        """Follow redirects; the authorization stays with the registry."""
        for _ in range(MAX_REDIRECTS):
            if response.status not in REDIRECTS:
                return response
            url = url.join(URL(response.headers.get("Location", "")))
            response.close()
            self._check_scheme(url)
            response = await self._http.get(url, headers)
        return response

    async def _authorize(self, challenge: str) -> str | None:
        """Return what to show the registry (token authentication of Docker's distribution, RFC 6750 and 7617)."""
        scheme, _, parameters = challenge.partition(" ")
        values = dict(_CHALLENGE.findall(parameters))
        if scheme.lower() == "basic" and self._credentials is not None:
            return _basic(self._credentials)
        if scheme.lower() != "bearer" or "realm" not in values:
            return None
        scope = {"scope": f"repository:{self._name.repository}:pull"}
        service = {"service": values["service"]} if "service" in values else {}
        realm = URL(values["realm"]).update_query({**scope, **service})
        self._check_scheme(realm)
        headers = {"Authorization": _basic(self._credentials)} if self._credentials is not None else {}
        response = await self._http.get(realm, headers)
        try:
            if response.status != HTTPStatus.OK:
                return None
            body = await _at_most(response, MAX_TOKEN_BYTES)
        finally:
            response.close()
        try:
            token = msgspec.json.decode(body, type=_Token)
        except msgspec.DecodeError as error:
            raise ImagePullFailed(f"{self._name.registry} gives no usable token") from error
        return f"Bearer {token.token or token.access_token}"

    def _authorized(self, headers: dict[str, str]) -> dict[str, str]:
        return {**headers, "Authorization": self._authorization} if self._authorization is not None else headers

    def _url(self, path: str) -> URL:
        scheme = "http" if self._name.host in self._insecure else "https"
        return URL(f"{scheme}://{self._name.host}/{path}")

    def _check_scheme(self, url: URL) -> None:
        if url.scheme != "https" and (url.scheme != "http" or url.authority not in self._insecure):
            raise ImagePullFailed(f"{self._name.registry} leads to {url.scheme or 'nothing'}, only https is followed")

    def _check(self, response: aiohttp.ClientResponse, path: str) -> None:
        if response.status in _NO_SUCH:
            answer = f"{self._name.registry} answers {response.status} to {path[:100]}"
            raise ImageNotFound(f"image {self._name.full} was not found: {answer}")
        if response.status != HTTPStatus.OK:
            raise ImagePullFailed(f"{self._name.registry} answers {response.status} to {path[:100]}")


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = b""
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            raise OciError(f"the registry's answer has more than {limit} bytes")
    return body


def _basic(credentials: Credentials) -> str:
    return "Basic " + b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()


def _digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _reason(error: Exception) -> str:
    """Return what is wrong; an address may be signed, so that it is not repeated."""
    return re.sub(r"\S+\?\S+", "...", why_unreachable(error))[:200]

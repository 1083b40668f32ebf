"""A tenant's side of the agent's API. It trusts the root on chain, takes answers with care, and never retries."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import msgspec
from yarl import URL

from moorage import agent_api, pki, tls
from moorage.agent_api import LeaseStatus
from moorage.request_auth import Action, Domain, sign
from moorage.typed_data import TypedDataSigner
from moorage.types import OrderId, ProviderNumber

SIGNATURE_LIFE_SECONDS = 120
MAX_ANSWER_BYTES = 1 << 20
MAX_DETAIL_CHARACTERS = 500
TIMEOUT = aiohttp.ClientTimeout(total=40, sock_connect=10)
_RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})


class AgentError(Exception):
    """An agent did not do what it was asked; `is_retryable` says whether asking again may help."""

    is_retryable: bool


class AgentUnreachable(AgentError):
    """No answer from this provider: nobody there, a time-out, somebody else's certificate, or nonsense."""

    is_retryable = True


class AgentRefused(AgentError):
    """The agent answered no."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.is_retryable = status in _RETRYABLE_STATUSES


@dataclass(frozen=True, slots=True)
class Agent:
    """Where a provider's agent is and how it is known, as read from the registry."""

    provider: ProviderNumber
    endpoint: str
    """https://host:port."""
    roots_der: tuple[bytes, ...]
    """The root certificates that are valid now: one, or two during a rotation."""


class AgentClient:
    """Asks providers' agents in the name of one tenant. Each call is one request on a connection of its own."""

    def __init__(self, domain: Domain, signer: TypedDataSigner, clock: Callable[[], float] = time.time) -> None:
        self._domain = domain
        self._signer = signer
        self._clock = clock

    async def deliver_manifest(self, agent: Agent, lease: OrderId, manifest: bytes) -> None:
        """Hand over the canonical bytes of a manifest. Delivering it again is harmless.

        Raises:
            AgentUnreachable: there was no usable answer.
            AgentRefused: the agent did not take it; 409 is another version than the one it sees on chain.
        """
        await self._ask(agent, agent_api.deliver_manifest(agent.provider, lease), manifest)

    async def status(self, agent: Agent, lease: OrderId) -> LeaseStatus:
        """Return how a lease's workloads are. Texts in it are free of control characters.

        Raises:
            AgentUnreachable: there was no usable answer.
            AgentRefused: the agent does not tell.
        """
        answer = await self._ask(agent, agent_api.read_status(agent.provider, lease), b"")
        try:
            status = agent_api.decode_status(answer)
        except ValueError as error:
            raise AgentUnreachable("the answer is not a status") from error
        if status.lease != lease:
            raise AgentUnreachable("the answer is about another lease")
        return status

    async def _ask(self, agent: Agent, action: Action, body: bytes) -> bytes:
        expires_seconds = int(self._clock()) + SIGNATURE_LIFE_SECONDS
        headers = {"Authorization": await sign(action, body, expires_seconds, self._domain, self._signer)}
        if body:
            headers["Content-Type"] = agent_api.MANIFEST_TYPE
        try:
            status, answer = await self._send(agent, action, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, pki.PkiError) as error:
            raise AgentUnreachable(agent_api.printable(f"{agent.endpoint}: {reason_of(error)}")) from error
        if status >= 300:
            raise AgentRefused(status, _detail(answer))
        return answer

    async def _send(self, agent: Agent, action: Action, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Make one request, verified as the provider's whatever host the endpoint names."""
        url = origin(agent.endpoint).with_path(action.path)
        context = tls.ssl_client_context(*agent.roots_der)
        name = pki.provider_name(agent.provider, self._domain.exchange)
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False, trust_env=False) as session,
            session.request(
                action.method,
                url,
                data=body or None,
                headers=headers,
                ssl=context,
                server_hostname=name,
                allow_redirects=False,
            ) as response,
        ):
            return response.status, await _read(response)


def reason_of(error: Exception) -> str:
    """Return why there was no answer, without the library's inner objects."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    return str(error) or type(error).__name__


async def _read(response: aiohttp.ClientResponse) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
    return bytes(answer)


def origin(endpoint: str) -> URL:
    """Return an agent's endpoint as a URL.

    Raises:
        ValueError: it is not one.
    """
    url = URL(endpoint)
    if url.scheme != "https" or url.host is None or url != url.origin():
        raise ValueError(f"the endpoint {endpoint!r} is not of the form https://host:port")
    return url


class _Problem(msgspec.Struct):
    detail: str = ""
    title: str = ""


def _detail(answer: bytes) -> str:
    """Return a refusal's reason in a form that is safe for a terminal and a log."""
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except ValueError:
        return "no reason given"
    text = problem.detail or problem.title or "no reason given"
    return agent_api.printable(text)[:MAX_DETAIL_CHARACTERS]

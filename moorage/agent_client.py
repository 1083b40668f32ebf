"""A tenant's side of the agent's API. It trusts the root on chain, takes answers with care, and never retries."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
import msgspec
from yarl import URL

from moorage import agent_api, pki, stream_api, tls
from moorage.agent_api import LeaseStatus
from moorage.agent_exec import AgentExec
from moorage.connecting import why_unreachable
from moorage.request_auth import Action, Domain, sign
from moorage.streams import LONGEST_SECONDS, SILENCE_SECONDS, Ended, ExecRequest, LogLine, LogQuery, Record
from moorage.told import printable
from moorage.typed_data import TypedDataSigner
from moorage.types import OrderId, ProviderNumber

SIGNATURE_LIFE_SECONDS = 120
MAX_ANSWER_BYTES = 1 << 20
MAX_DETAIL_CHARACTERS = 500
TIMEOUT = aiohttp.ClientTimeout(total=40, sock_connect=10)
STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE_SECONDS)
READ_TIMEOUT = aiohttp.ClientTimeout(
    total=LONGEST_SECONDS + SILENCE_SECONDS, sock_connect=10, sock_read=SILENCE_SECONDS
)
"""For a log that is not followed: however slowly it comes, it has an end."""
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

    async def logs(self, agent: Agent, lease: OrderId, query: LogQuery) -> AsyncGenerator[Record, None]:
        """Yield what a lease's workloads write, ending with `Ended`. Texts are as they were written.

        Raises:
            AgentUnreachable: there was no usable answer, or it broke off.
            AgentRefused: the agent does not tell.
        """
        action = stream_api.read_logs(agent.provider, lease, query)
        headers = await self._headers(action, b"")
        patience = STREAM_TIMEOUT if query.is_following else READ_TIMEOUT
        with _reaching(agent):
            async with self._requesting(agent, action, headers, b"", patience) as response:
                if response.status >= 300:
                    raise AgentRefused(response.status, _detail(await _read(response)))
                async for line in _lines(response):
                    record = stream_api.decode_record(line)
                    if isinstance(record, LogLine) and not query.wants(record.workload, record.replica):
                        raise ValueError("a line of a workload that was not asked for")
                    yield record
                    if isinstance(record, Ended):
                        return
        raise AgentUnreachable(f"{agent.endpoint}: the log broke off")

    @asynccontextmanager
    async def exec(self, agent: Agent, lease: OrderId, request: ExecRequest) -> AsyncIterator[AgentExec]:
        """Run a command in a workload while the block runs; the agent ends it if it still runs then.

        Raises:
            AgentUnreachable: there was no usable answer.
            AgentRefused: the agent does not run it.
        """
        body = msgspec.json.encode(request)
        async with AsyncExitStack() as stack:
            with _reaching(agent):
                session = await stack.enter_async_context(_session(STREAM_TIMEOUT))
                socket = await stack.enter_async_context(await self._connect(session, agent, lease, body))
                await socket.send_bytes(body)
            yield await stack.enter_async_context(AgentExec(socket, lambda: _reaching(agent)))

    async def _connect(
        self, session: aiohttp.ClientSession, agent: Agent, lease: OrderId, body: bytes
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        """Open a WebSocket for a command, verified as the provider's.

        Raises:
            AgentRefused
        """
        action = stream_api.run_command(agent.provider, lease)
        try:
            return await session.ws_connect(
                _url(agent, action),
                headers=await self._headers(action, body),
                ssl=tls.ssl_client_context(*agent.roots_der),
                server_hostname=pki.provider_name(agent.provider, self._domain.exchange),
                max_msg_size=stream_api.MAX_MESSAGE_BYTES,
            )
        except aiohttp.WSServerHandshakeError as error:
            detail = error.headers.get(stream_api.DETAIL_HEADER) if error.headers is not None else None
            text = printable(detail or "no reason given")[:MAX_DETAIL_CHARACTERS]
            raise AgentRefused(error.status, text) from error

    async def _ask(self, agent: Agent, action: Action, body: bytes) -> bytes:
        headers = await self._headers(action, body)
        if body:
            headers["Content-Type"] = agent_api.MANIFEST_TYPE
        with _reaching(agent):
            async with self._requesting(agent, action, headers, body, TIMEOUT) as response:
                status, answer = response.status, await _read(response)
        if status >= 300:
            raise AgentRefused(status, _detail(answer))
        return answer

    async def _headers(self, action: Action, body: bytes) -> dict[str, str]:
        expires_seconds = int(self._clock()) + SIGNATURE_LIFE_SECONDS
        return {"Authorization": await sign(action, body, expires_seconds, self._domain, self._signer)}

    @asynccontextmanager
    async def _requesting(
        self, agent: Agent, action: Action, headers: dict[str, str], body: bytes, patience: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make one request, verified as the provider's whatever host the endpoint names."""
        context = tls.ssl_client_context(*agent.roots_der)
        name = pki.provider_name(agent.provider, self._domain.exchange)
        async with (
            _session(patience) as session,
            session.request(
                action.method,
                _url(agent, action),
                data=body or None,
                headers=headers,
                ssl=context,
                server_hostname=name,
                allow_redirects=False,
            ) as response,
        ):
            yield response


def _session(patience: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """Return a session that follows no redirect; the library has no option for that where it opens a WebSocket."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(timeout=patience, auto_decompress=False, trust_env=False, trace_configs=[tracing])


async def _refuse_redirect(*_: object) -> None:
    raise ValueError("the agent answers with a redirect, which is not followed")


def _url(agent: Agent, action: Action) -> URL:
    """Return the URL of an action, whose path stays in the one form in which it is signed."""
    return URL(f"{origin(agent.endpoint)}".rstrip("/") + action.path, encoded=True)


@contextmanager
def _reaching(agent: Agent) -> Iterator[None]:
    """Turn what can go wrong on the way to an agent into our error."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, pki.PkiError) as error:
        raise AgentUnreachable(
            printable(f"{agent.endpoint}: {why_unreachable(error)[:MAX_DETAIL_CHARACTERS]}")
        ) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
    return bytes(answer)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of an answer as they come.

    Raises:
        ValueError: one is too long.
    """
    begun = bytearray()
    async for chunk in response.content.iter_any():
        *ends, begin = chunk.split(b"\n")  # not all that has begun: a drip would have it looked at again and again
        for end in ends:
            yield bytes(begun) + end
            begun.clear()
        begun += begin
        if len(begun) > stream_api.MAX_RECORD_BYTES:
            raise ValueError("a line of the answer is too long")


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
    return printable(text)[:MAX_DETAIL_CHARACTERS]

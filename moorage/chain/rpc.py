"""A JSON-RPC client for one Ethereum node (Ethereum JSON-RPC specification), with two kinds of failure kept apart.

A node that does not answer says nothing about the chain: NodeUnavailable must never be read as "it is not there".
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from types import TracebackType
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from moorage.connecting import why_unreachable

BATCH_SIZE = 200
TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
QUICK_SECONDS = 8.0
"""How long an answer may take that is not made of a search through logs."""
SEARCHES = ("eth_getLogs",)
OVERLOADED = (429, 502, 503, 504)
"""HTTP statuses by which a proxy says that there is no answer now, whatever body comes along."""
LIMIT_EXCEEDED = -32005
"""EIP-1474: the node is too busy for this client, or was asked for too much at once."""
MAX_SHOWN = 300
MAX_NUMBER_DIGITS = 64
"""Hex digits of the largest number that the chain knows, of 256 bits."""
MAX_ANSWER_BYTES = 2**26
"""Of one answer as it is decoded: what no search and no batch of ours comes near to."""
NO_ADDRESS = "no http(s)://host:port"


class ChainError(Exception):
    """Something about the chain is not as needed."""


class NodeUnavailable(ChainError):
    """No usable answer: no connection, time-out, an error page, or nonsense. Asking again may help."""


class NoNodeAddress(NodeUnavailable):
    """There is nobody to ask: what is given as the node's address is none."""


class LimitExceeded(NodeUnavailable):
    """The node says that a limit is exceeded: of calls in some time, or of what one answer may hold."""


class NodeRefused(ChainError):
    """The node answered with a JSON-RPC error, such as a revert."""

    def __init__(self, code: int, message: str, data: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.is_doubtful = False
        """Whether another node that was told the same did not answer: it may have taken it."""


def as_number(answer: Any) -> int:
    """Return a QUANTITY of the JSON-RPC specification as a number.

    Raises:
        NodeUnavailable: it is none.
    """
    try:
        digits = _hex(answer)
        if len(digits) > MAX_NUMBER_DIGITS:
            raise ValueError
        return int(digits, 16)
    except ValueError:
        raise NodeUnavailable(f"the node answered {_shown(answer)} where a number belongs") from None


def as_bytes(answer: Any) -> bytes:
    """Return DATA of the JSON-RPC specification as bytes.

    Raises:
        NodeUnavailable: it is none.
    """
    try:
        return bytes.fromhex(_hex(answer))
    except ValueError:
        raise NodeUnavailable(f"the node answered {_shown(answer)} where bytes belong") from None


def one_line(text: str) -> str:
    """Return what somebody else wrote as something that can be shown: one line, short, no control characters."""
    return "".join(character if character.isprintable() else " " for character in text)[:MAX_SHOWN].strip()


class _Answer(msgspec.Struct):
    """A response object of JSON-RPC 2.0; its result is decoded when it is known to be one."""

    id: Any = None
    result: msgspec.Raw = msgspec.Raw()
    error: Any = None


_ANSWERS = msgspec.json.Decoder(_Answer | list[_Answer])


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


class Rpc:
    """Calls of one node over one kept HTTP connection pool. Use as an async context manager."""

    is_up = True
    """Whether it has answered the last time."""

    def __init__(self, url: str, timeout: aiohttp.ClientTimeout = TIMEOUT) -> None:
        """
        Args:
            url: http(s)://host:port of the node.
            timeout: how long an answer may take; most of them may take less.
        """
        self.url = url
        self._timeout = timeout
        self._quick = aiohttp.ClientTimeout(
            total=min(timeout.total or QUICK_SECONDS, QUICK_SECONDS), sock_connect=timeout.sock_connect
        )
        self.name = _without_secrets(url)
        """The node as it is shown: its path and query may be an access token."""
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Rpc:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, *params: Any, kind: Any = Any) -> Any:
        """Return the result of one method.

        Args:
            kind: the type that the result is decoded to: Any, or what msgspec can decode, which is faster.

        Raises:
            NodeUnavailable: no usable answer.
            NodeRefused: the node answered with an error.
        """
        request = self._request(method, params)
        return self._result(await self._post(request), request, kind)

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
        """Return the results of several calls in their order.

        Args:
            kind: the type of each result.

        Raises:
            NodeUnavailable: no usable answer, or one of the calls has none.
            NodeRefused: the node answered one of them with an error.
        """
        results: list[Any] = []
        for start in range(0, len(calls), BATCH_SIZE):
            requests = [self._request(method, params) for method, params in calls[start : start + BATCH_SIZE]]
            results += self._results(await self._post(requests), requests, kind)
        return results

    async def verify(self, check: Callable[[Rpc], Awaitable[None]]) -> None:
        """Check that this is the right node; of several, each.

        Raises:
            ChainError: what the check finds.
        """
        await check(self)

    @property
    def nodes(self) -> tuple[Rpc, ...]:
        """This one, or the several that it stands for."""
        return (self,)

    async def checked(self, place: int) -> Rpc:
        """Return one of `nodes`, of which it is known that it is the right one.

        Raises:
            NodeUnavailable: it did not answer until now, or is the wrong one.
        """
        return self.nodes[place]

    @property
    def others(self) -> tuple[Rpc, ...]:
        """The nodes that are not asked first now: what they say can be compared with what was answered."""
        return ()

    def distrust(self) -> None:
        """Ask another node from now on, if there is one: this one lags, or says what cannot be."""

    def _results(self, answers: Any, requests: Sequence[dict[str, Any]], kind: Any) -> list[Any]:
        if isinstance(answers, _Answer):  # the batch as a whole was refused
            self._result(answers, None, kind)
            raise NodeUnavailable(f"{self.name} answered a batch with a single result")
        by_id = {answer.id: answer for answer in answers if isinstance(answer.id, int)}
        for request in requests:
            if request["id"] not in by_id:
                raise NodeUnavailable(f"{self.name} left a call of a batch unanswered")
        return [self._result(by_id[request["id"]], request, kind) for request in requests]

    def _result(self, answer: _Answer | list[_Answer], request: dict[str, Any] | None, kind: Any) -> Any:
        """Return what an answer says; `request` is what it has to belong to, None for a batch as a whole."""
        if not isinstance(answer, _Answer):
            raise NodeUnavailable(f"{self.name} answered something that is not JSON-RPC")
        number, error = answer.id, answer.error
        if request is not None and number != request["id"] and not (number is None and error is not None):
            raise NodeUnavailable(f"{self.name} answered another call than was made")
        if isinstance(error, dict):
            raise self._refusal(error)
        if error is not None or not bytes(answer.result):
            raise NodeUnavailable(f"{self.name} answered something that is not JSON-RPC")
        try:
            return _decoder(kind).decode(answer.result)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise NodeUnavailable(f"{self.name} answered something else than was asked for: {problem}") from problem

    def _refusal(self, error: dict[str, Any]) -> ChainError:
        code, data = error.get("code"), error.get("data")
        message = one_line(str(error.get("message", "")))
        if code == LIMIT_EXCEEDED:
            return LimitExceeded(f"{self.name} has reached a limit: {message}")
        if isinstance(data, dict):
            data = data.get("data") or data.get("result")
        return NodeRefused(code if isinstance(code, int) else 0, message, data if isinstance(data, str) else None)

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    async def _post(self, body: Any) -> _Answer | list[_Answer]:
        try:
            answers = await self._answered(body)
        except NodeUnavailable:
            self.is_up = False
            raise
        self.is_up = True
        return answers

    async def _answered(self, body: Any) -> _Answer | list[_Answer]:
        if self._session is None:
            raise RuntimeError("Rpc is used outside of its context")
        if self.name == NO_ADDRESS:
            raise NoNodeAddress("the node's address has to be of the form http(s)://host:port")
        headers = {"Content-Type": "application/json"}
        try:
            posting = self._session.post(
                self.url,
                data=msgspec.json.encode(body),
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout if _is_search(body) else self._quick,
            )
            async with posting as response:
                text = await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NodeUnavailable(f"no answer from the node at {self.name}: {_reason(error)}") from error
        if response.status in OVERLOADED:
            raise NodeUnavailable(f"{self.name} has no answer now ({response.status})")
        try:
            answers: _Answer | list[_Answer] = _ANSWERS.decode(text)
            return answers
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NodeUnavailable(f"{self.name} answered something that is not JSON-RPC ({response.status})") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytearray:
        text = bytearray()
        async for chunk in response.content.iter_any():
            text += chunk
            if len(text) > MAX_ANSWER_BYTES:
                raise LimitExceeded(f"{self.name} answered with more than {MAX_ANSWER_BYTES >> 20} MiB")
        return text


def _is_search(body: Any) -> bool:
    calls = body if isinstance(body, list) else [body]
    return any(call["method"] in SEARCHES for call in calls)


def _without_secrets(url: str) -> str:
    try:
        origin = URL(url).origin()
    except ValueError:
        return NO_ADDRESS
    return str(origin) if origin.scheme in ("http", "https") else NO_ADDRESS


def _reason(error: Exception) -> str:
    """Return what went wrong without the address, which may be a secret: only host and port are named."""
    match error:
        case TimeoutError() | aiohttp.ClientConnectorError():
            return why_unreachable(error)
        case OSError():  # the library puts the address into its own words, so only the system's are told
            return os.strerror(error.errno) if error.errno else type(error).__name__
        case _:
            return type(error).__name__


def _hex(answer: Any) -> str:
    if not isinstance(answer, str) or not answer.startswith("0x") or not (answer.isascii() and answer.isalnum()):
        raise ValueError
    return answer[2:]


def _shown(answer: Any) -> str:
    return ascii(answer)[:40]

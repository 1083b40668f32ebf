"""A JSON-RPC client for one Ethereum node (Ethereum JSON-RPC specification), with two kinds of failure kept apart.

A node that does not answer says nothing about the chain: NodeUnavailable must never be read as "it is not there".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import aiohttp
import msgspec
from yarl import URL

BATCH_SIZE = 200
TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)


class ChainError(Exception):
    """Something about the chain is not as needed."""


class NodeUnavailable(ChainError):
    """No usable answer: no connection, time-out, an error page, or nonsense. Asking again may help."""


class NodeRefused(ChainError):
    """The node answered with a JSON-RPC error, such as a revert."""

    def __init__(self, code: int, message: str, data: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Rpc:
    """Calls of one node over one kept HTTP connection pool. Use as an async context manager."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: http(s)://host:port of the node.
        """
        self.url = url
        self.name = _without_secrets(url)
        """The node as it is shown: its path and query may be an access token."""
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Rpc:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of one method.

        Raises:
            NodeUnavailable: no usable answer.
            NodeRefused: the node answered with an error.
        """
        return _result(await self._post(self._request(method, params)))

    async def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results of several calls in their order.

        Raises:
            NodeUnavailable: no usable answer, or one of the calls has none.
            NodeRefused: the node answered one of them with an error.
        """
        results: list[Any] = []
        for start in range(0, len(calls), BATCH_SIZE):
            requests = [self._request(method, params) for method, params in calls[start : start + BATCH_SIZE]]
            answers = await self._post(requests)
            if not isinstance(answers, list):
                _result(answers)
                raise NodeUnavailable(f"{self.name} answered a batch with a single result")
            by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
            for request in requests:
                if request["id"] not in by_id:
                    raise NodeUnavailable(f"{self.name} left a call of a batch unanswered")
                results.append(_result(by_id[request["id"]]))
        return results

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}

    async def _post(self, body: Any) -> Any:
        if self._session is None:
            raise RuntimeError("Rpc is used outside of its context")
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(self.url, data=msgspec.json.encode(body), headers=headers) as response:
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = str(error or type(error).__name__).replace(self.url, self.name)
            raise NodeUnavailable(f"no answer from the node at {self.name}: {reason}") from error
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NodeUnavailable(f"{self.name} answered something that is not JSON-RPC ({response.status})") from error


def _without_secrets(url: str) -> str:
    try:
        return str(URL(url).origin())
    except ValueError:
        return "an address that is not http(s)://host:port"


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise NodeUnavailable("the node answered something that is not JSON-RPC")
    error = answer.get("error")
    if error:
        data = error.get("data")
        if isinstance(data, dict):
            data = data.get("data") or data.get("result")
        raise NodeRefused(
            int(error.get("code", 0)), str(error.get("message", "")), data if isinstance(data, str) else None
        )
    return answer["result"]

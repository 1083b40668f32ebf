"""Whoever uses the pages: plain HTTP to the public addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from demo.processes import DemoFailed

TIMEOUT = aiohttp.ClientTimeout(total=8)
POLL_SECONDS = 0.5

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Reads and writes pages."""

    async def write(self, address: str, page: str, text: str) -> Answer:
        """Write a page.

        Raises:
            DemoFailed: it is not taken.
        """
        return await self._ask("PUT", f"{address}/pages/{page}", text)

    async def read(self, address: str, page: str) -> Answer:
        """Read a page.

        Raises:
            DemoFailed: there is none, or it cannot be read.
        """
        return await self._ask("GET", f"{address}/pages/{page}")

    async def find(self, addresses: list[str], leases: Collection[str]) -> dict[str, str]:
        """Return by region which of some addresses are those of the pages of some leases, hex ids of 64 digits."""
        found = {}
        for address in addresses:
            with suppress(DemoFailed):
                answer = await self._ask("GET", f"{address}/here")
                if any(lease.startswith(answer["lease"]) for lease in leases):
                    found[str(answer["answered_by"])] = address
        return found

    async def wait_until_whole(self, address: str, seconds: float) -> Answer:
        """Wait until the pages at an address have their database and their cache.

        Raises:
            DemoFailed: not in time; the message has their last answer.
        """
        last: object = "no answer"
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        answer = await self._ask("GET", f"{address}/healthz")
                        if (answer["database"], answer["cache"]) == ("ok", "ok"):
                            return answer
                        last = answer
                    except DemoFailed as error:
                        last = error
                    await asyncio.sleep(POLL_SECONDS)
        raise DemoFailed(f"{address} is not whole after {seconds:.0f} s: {last}")

    async def _ask(self, method: str, address: str, text: str | None = None) -> Answer:
        try:
            async with (
                aiohttp.ClientSession(timeout=TIMEOUT) as session,
                session.request(method, address, data=text) as response,
            ):
                answer: Answer = await response.json()
                if response.status != 200:
                    raise DemoFailed(f"{method} {address}: {response.status} {answer}")
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DemoFailed(f"{method} {address}: {error or type(error).__name__}") from None

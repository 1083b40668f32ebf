"""Follows the exchange block by block and the tenant's `deploy`: prints what happens, lets the story wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from demo.narrator import Narrator, Wording
from demo.processes import DemoFailed, Processes
from demo.tenant import DEPLOY
from moorage.chain.contracts import Exchange
from moorage.chain.index import LogIndex, read_block
from moorage.chain.logs import Happening
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.types import Lease, OrderId

POLL_SECONDS = 0.3
OFF_CHAIN = ("manifest", "workload")
"""What `moorage deploy` tells that no event does."""


class Watcher:
    """Runs beside the story as a task."""

    def __init__(self, rpc: Rpc, market: Market, narrator: Narrator, wording: Wording, processes: Processes) -> None:
        self._rpc = rpc
        self._exchange = Exchange(rpc, market)
        self._index = LogIndex(rpc, market)
        self._narrator = narrator
        self._wording = wording
        self._processes = processes
        self._told = 0
        self._heard = 0

    async def follow(self) -> None:
        """Tell each event as it happens, until cancelled."""
        while True:
            await self._look()
            self._listen()
            await asyncio.sleep(POLL_SECONDS)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Follow as a task as long as the block runs."""
        task = asyncio.create_task(self.follow())
        try:
            yield
        finally:
            task.cancel()

    def count(self, name: str) -> int:
        """Return how many events of a name have been told."""
        return sum(happening.name == name for happening in self._events())

    def last(self, name: str) -> Happening:
        """Return the newest event of a name."""
        return [happening for happening in self._events() if happening.name == name][-1]

    def has_paid(self, stale: Happening) -> bool:
        """Return whether what a stale lease has held for its provider was claimed."""
        return is_paid(stale, self._events())

    async def lease(self, lease: OrderId) -> Lease:
        """Read a lease at the newest block.

        Raises:
            DemoFailed: there is none.
        """
        (found,) = await self._exchange.leases(None, [lease])
        if found is None:
            raise DemoFailed(f"lease 0x{lease.hex()} is not on chain")
        return found

    async def until_owed(self, lease: OrderId, claim_after_blocks: int) -> None:
        """Wait until an active lease holds pay and no claim of it is due.

        Who stops its agent then leaves pay unclaimed for certain: no claim is on its way.

        Raises:
            DemoFailed: it does not become so in time, or a program has ended.
        """
        while not is_owed(await self.lease(lease), claim_after_blocks):
            await self.until_event("LeaseConfirmed", self.count("LeaseConfirmed") + 1)

    async def until(self, what: str, is_so: Callable[[], bool], seconds: float = 90) -> None:
        """Wait until something is so.

        Raises:
            DemoFailed: it does not become so in time, or a program has ended.
        """
        limit = time.monotonic() + seconds
        while not is_so():
            self._processes.check()
            if time.monotonic() > limit:
                raise DemoFailed(f"{what}: not within {seconds:.0f} s; the logs are in {self._processes.folder}")
            await asyncio.sleep(POLL_SECONDS)

    async def until_event(self, name: str, count: int = 1, seconds: float = 90) -> Happening:
        """Wait until an event has happened so many times, and return the newest.

        Raises:
            DemoFailed: it does not happen in time, or a program has ended.
        """
        await self.until(name, lambda: self.count(name) >= count, seconds)
        return self.last(name)

    def _events(self) -> list[Happening]:
        return self._index.facts.happenings[: self._told]

    async def _look(self) -> None:
        await self._index.follow(await read_block(self._rpc))
        for happening in self._index.facts.happenings[self._told :]:
            text = self._wording.describe(happening)
            if text is not None:
                self._narrator.block(happening.block_number, text)
            self._told += 1

    def _listen(self) -> None:
        """Repeat what the tenant's `moorage deploy` has said since."""
        log = self._processes.log(DEPLOY)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        for line in lines[self._heard :]:
            if any(word in line for word in OFF_CHAIN):
                self._narrator.quote("moorage deploy", line.split("  ", 1)[-1].strip())
        self._heard = len(lines)


def is_owed(lease: Lease, claim_after_blocks: int) -> bool:
    """Return whether a lease has confirmed blocks beyond its last claim, and fewer than its agent claims at once."""
    return 0 < lease.confirmed_block - lease.claimed_block < claim_after_blocks


def is_paid(stale: Happening, happenings: Iterable[Happening]) -> bool:
    """Return whether what a stale lease has held for its provider was claimed; its claims of before do not count."""
    return any(
        happening.name == "LeaseClaimed"
        and happening.arguments["lease"] == stale.arguments["lease"]
        and happening.arguments["amount"] == stale.arguments["earned"]
        and happening.block_number > stale.block_number
        for happening in happenings
    )

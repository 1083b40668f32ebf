"""Decides when each peer is asked, and sees to it that no question waits for another one's answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import structlog

from provider_agent.shell.peer_answers import Pair

ODD_SECONDS = 30.0
"""Until the next attempt after a fault of our own."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Turn:
    due_seconds: float = 0.0
    task: asyncio.Task[None] | None = None


class PeerQuestions:
    """Asks about each pair of leases again and again, one question at a time for each."""

    def __init__(self, ask: Callable[[Pair], Awaitable[float]]) -> None:
        """
        Args:
            ask: asks once and returns after how many seconds to ask again.
        """
        self._ask = ask
        self._turns: dict[Pair, _Turn] = {}
        self._changed = asyncio.Event()

    def keep(self, pairs: Collection[Pair]) -> bool:
        """Ask about these pairs from now on, and about no others; return whether they were others before."""
        gone = self._turns.keys() - pairs
        for pair in gone:
            task = self._turns.pop(pair).task
            if task is not None:
                task.cancel()
        fresh = [pair for pair in pairs if pair not in self._turns]
        self._turns.update({pair: _Turn() for pair in fresh})
        return bool(gone or fresh)

    def hurry(self, pair: Pair) -> None:
        """Ask about a pair now: there is something new to be known."""
        if pair in self._turns:
            self._turns[pair].due_seconds = 0.0

    def begin(self) -> float:
        """Begin to ask where it is time; return how many seconds there is nothing more to begin."""
        now = time.monotonic()
        pause = float("inf")
        for pair, turn in self._turns.items():
            if turn.task is not None:
                continue
            if turn.due_seconds <= now:
                turn.task = asyncio.create_task(self._once(pair, turn))
            else:
                pause = min(pause, turn.due_seconds - now)
        return pause

    @property
    def changed(self) -> asyncio.Event:
        """Set when a question has come to its end, so that the next one may be due at another time."""
        return self._changed

    def close(self) -> None:
        """Break off all questions."""
        self.keep(())

    async def _once(self, pair: Pair, turn: _Turn) -> None:
        wait_seconds = ODD_SECONDS
        try:
            wait_seconds = await self._ask(pair)
        except Exception:  # a question has no caller; what is wrong with one is no other one's matter
            log.exception("asking a peer failed", lease=pair[0].hex(), peer=pair[1].hex())
        finally:
            turn.due_seconds = time.monotonic() + wait_seconds
            turn.task = None
            self._changed.set()

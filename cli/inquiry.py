"""Asks the providers' agents of one deployment, one question each at a time, and keeps what they have said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from cli.core.agents import NOTHING_KNOWN, Answer, DeliverManifest, Knowledge, Step, learn, next_steps
from cli.core.view import DeploymentView
from moorage.types import OrderId, Version


class Asker(Protocol):
    """Who asks agents; cli.agents.Interpreter is the real one."""

    async def ask(self, step: Step) -> Answer: ...


class Inquiry:
    """What one run knows of a deployment from agents."""

    def __init__(self, asker: Asker, version: Version, clock: Callable[[], float]) -> None:
        """
        Args:
            version: of the manifest that can be delivered.
            clock: one that never goes back, in seconds.
        """
        self._asker = asker
        self._version = version
        self._clock = clock
        self._asking: dict[OrderId, tuple[Step, asyncio.Task[Answer]]] = {}
        self.knowledge: dict[OrderId, Knowledge] = {}

    def ask(self, view: DeploymentView) -> None:
        """Ask what is due."""
        delivering = {lease for lease, (step, _) in self._asking.items() if isinstance(step, DeliverManifest)}
        for step in next_steps(view, self._version, self.knowledge, self._clock(), delivering):
            if step.lease not in self._asking:
                self._asking[step.lease] = step, asyncio.create_task(self._asker.ask(step))

    def take(self, view: DeploymentView) -> Iterator[tuple[OrderId, Knowledge, Knowledge]]:
        """Learn from the answers that have come, and yield what was known before and what is known now."""
        known = {attempt.id for attempt in view.attempts}
        for lease, (_, task) in list(self._asking.items()):
            if task.done():
                del self._asking[lease]
                answer = task.result()
                if lease not in known:
                    continue  # a reorganisation has taken the order away meanwhile
                before = self.knowledge.get(lease, NOTHING_KNOWN)
                after = learn(before, answer, view.version, self._clock())
                self.knowledge[lease] = after
                yield lease, before, after

    def close(self) -> None:
        """Wait for no answer any more."""
        for _, task in self._asking.values():
            task.cancel()

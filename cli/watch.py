"""Follows a deployment block by block: tells what happens, delivers manifests, shows how it is. Deploy's only loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from cli.core.agents import is_all_running, running_line, tell_change
from cli.core.ends import Why, end_of, end_of_waiting
from cli.core.hints import hints
from cli.core.report import headline, rows
from cli.core.story import Line, tell
from cli.core.view import DeploymentView
from cli.failures import ExitStatus, Failure
from cli.inquiry import Asker, Inquiry
from cli.output import Screen
from moorage.chain.rpc import NodeUnavailable
from moorage.crash import crash_point
from moorage.money import Money
from moorage.types import DeploymentId, Version

RETRY_SECONDS = 2.0
STATUSES = {Why.GONE: ExitStatus.ERROR, Why.NO_BIDS: ExitStatus.UNMATCHED, Why.AGENT: ExitStatus.AGENT}


class Views(Protocol):
    """Where deployments are read; cli.tenant_reader.TenantReader is the real one."""

    async def block_number(self) -> int: ...

    async def view(self, deployment: DeploymentId) -> DeploymentView | None: ...


class Watch:
    """What one run knows of a deployment."""

    def __init__(
        self,
        views: Views,
        asker: Asker,
        screen: Screen,
        money: Money,
        version: Version,
        clock: Callable[[], float],
        poll_seconds: float,
        since_block: int = 0,
    ) -> None:
        """
        Args:
            version: of the manifest that can be delivered.
            clock: one that never goes back, in seconds.
            since_block: what happened before it is not told.
        """
        self._since_block = since_block
        self._views = views
        self._inquiry = Inquiry(asker, version, clock)
        self._screen = screen
        self._money = money
        self._poll_seconds = poll_seconds
        self._told: set[tuple[object, ...]] = set()
        self._was_running = False

    async def run(self, deployment: DeploymentId, *, is_detached: bool) -> None:
        """Follow a deployment until it ends, or until all its workloads run if detached.

        Raises:
            Failure: it has ended, or (detached) an agent does not take its manifest.
        """
        view: DeploymentView | None = None
        was_silent = False
        try:
            while True:
                try:
                    view = await self._newer(deployment, view)
                    crash_point("while-watching")
                except NodeUnavailable as error:
                    self._tell_once((str(error),), Line(view.block_number if view else 0, "node", f"{error}; waiting"))
                    was_silent = True
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                if was_silent and view is not None:
                    self._screen.tell(Line(view.block_number, "node-back", "the node answers again"))
                was_silent = False
                if view is not None and self._is_over(view, is_detached):
                    return
                await asyncio.sleep(self._poll_seconds)
        finally:
            self._inquiry.close()

    async def _newer(self, deployment: DeploymentId, view: DeploymentView | None) -> DeploymentView | None:
        """Return the newest view, having told what is new in it."""
        if view is None or await self._views.block_number() != view.block_number:
            view = await self._views.view(deployment)
            if view is None:
                text = "the deployment is not on chain, or not any more; waiting"
                self._tell_once(("absent",), Line(0, "absent", text))
                return None
            self._tell_all(tell(view, self._money))
            self._tell_hints(view)
        for lease, before, after in self._inquiry.take(view):
            for line in tell_change(view, lease, before, after):
                self._screen.tell(line)
        self._inquiry.ask(view)
        self._screen.show(headline(view, self._money), rows(view, self._inquiry.knowledge, self._money))
        return view

    def _is_over(self, view: DeploymentView, is_detached: bool) -> bool:
        is_running = is_all_running(view, self._inquiry.knowledge)
        if is_running and not self._was_running:
            self._screen.tell(running_line(view, self._inquiry.knowledge))
        self._was_running = is_running
        end = end_of(view)
        if end is None and is_detached and not is_running:
            end = end_of_waiting(view, self._inquiry.knowledge, self._money)
        if end is not None:
            raise Failure(STATUSES[end.why], end.text)
        return is_running and is_detached

    def _tell_all(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if line.block_number >= self._since_block:
                self._tell_once((line.block_number, line.event, line.text), line)

    def _tell_hints(self, view: DeploymentView) -> None:
        for line in hints(view, self._money):
            self._tell_once((line.event, line.fields["order"]), line)

    def _tell_once(self, identity: tuple[object, ...], line: Line) -> None:
        if identity not in self._told:
            self._told.add(identity)
            self._screen.tell(line)

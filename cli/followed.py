"""One deployment whose recipients are told: what is new is derived, written down, and shown."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cli.core.agent_memory import Memory, kept
from cli.core.agent_notices import agent_notices
from cli.core.chain_notices import chain_notices
from cli.core.lasting import Patience
from cli.core.notices import Notice, document
from cli.core.retries import Delivery, DeliveryState
from cli.core.story import Line
from cli.core.view import DeploymentView, full
from cli.courier import Courier
from cli.inquiry import Asker, Inquiry
from cli.notification_journal import NotificationJournal, Written
from cli.recipients import Recipient
from moorage.chain.rpc import NodeUnavailable
from moorage.money import Money
from moorage.types import DeploymentId, DeploymentState, Version

NO_MANIFEST = Version(bytes(32))
"""Nothing is delivered by looking."""


class Views(Protocol):
    """Where deployments are read."""

    async def block_number(self) -> int: ...

    async def view(self, deployment: DeploymentId) -> DeploymentView | None: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """What is told when."""

    low_blocks: int
    """The funds of a lease that last less long are low."""
    oldest_blocks: int
    """What happened longer ago than this when it is first seen is not sent any more."""
    patience: Patience


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loop works with."""

    views: Views
    block_time: Callable[[int], Awaitable[int]]
    """The Unix time of a block."""
    asker: Asker | None
    """None: agents are not asked."""
    money: Money
    courier: Courier
    tell: Callable[[Line], None]
    clock: Callable[[], float]
    """One that never goes back, in seconds."""
    unix_time: Callable[[], float]


class Followed:
    """One deployment with its journal."""

    def __init__(
        self,
        deployment: DeploymentId,
        journal: NotificationJournal,
        recipients: Sequence[Recipient],
        rules: Rules,
        surroundings: Surroundings,
    ) -> None:
        self.journal = journal
        self.recipients = recipients
        self._deployment = deployment
        self._rules = rules
        self._here = surroundings
        self._memory = journal.memory
        self._known = journal.known()
        self._is_over = journal.is_over
        self._view: DeploymentView | None = None
        asker = surroundings.asker
        self._inquiry = Inquiry(asker, NO_MANIFEST, surroundings.clock) if asker is not None else None

    @property
    def is_settled(self) -> bool:
        """Whether the deployment is closed, and nobody that its file names waits for anything."""
        return self._is_over and not self.journal.waiting() & {each.name for each in self.recipients}

    def take(self, recipients: Sequence[Recipient]) -> None:
        """Tell these from now on; what waits for one whose entry was mended is due at once."""
        before = {each.name: each for each in self.recipients}
        for each in recipients:
            if each != before.get(each.name, each):
                self.journal.hasten(each.name, self._here.unix_time())
        self.recipients = recipients

    def settle(self) -> None:
        """Give up what waits for those that the file does not name any more."""
        for name in self.journal.waiting() - {each.name for each in self.recipients}:
            self.journal.give_up(name, "it is no recipient any more")

    async def look(self, block_number: int) -> None:
        """Take in the newest block and what agents have said, and write down what is new.

        Raises:
            ChainError: the node does not answer, or not everything.
            Failure: the journal can't be written.
        """
        if self._view is None or self._view.block_number != block_number:
            view = await self._here.views.view(self._deployment)
            if view is None:
                return
            await self._record(view, self._chain_notices(view), self._memory)
            self._view = view
        if self._inquiry is not None:
            await self._ask(self._inquiry, self._view)

    def _chain_notices(self, view: DeploymentView) -> tuple[Notice, ...]:
        try:
            return chain_notices(view, self._here.money, self._rules.low_blocks)
        except KeyError as error:
            text = f"the node's logs of deployment {full(self._deployment)} are not complete"
            raise NodeUnavailable(text) from error

    async def _ask(self, inquiry: Inquiry, view: DeploymentView) -> None:
        for _ in inquiry.take(view):
            pass  # what has changed is derived from all that is known
        inquiry.ask(view)
        now, patience = self._here.clock(), self._rules.patience
        memory, notices = agent_notices(view, inquiry.knowledge, self._memory, now, patience)
        await self._record(view, notices, memory)

    async def _record(self, view: DeploymentView, notices: Sequence[Notice], memory: Memory) -> None:
        """Write down what is new, all at once with what is remembered; then show it."""
        new = [(notice, missing) for notice in notices if (missing := self._missing(notice))]
        is_over = view.state is DeploymentState.CLOSED
        if new or kept(memory) != kept(self._memory) or is_over != self._is_over:
            written = [await self._written(notice) for notice, _ in new]
            made = [self._delivery(view, notice, each) for notice, missing in new for each in missing]
            self.journal.add(written, made, memory, is_over)
            self._known.update((delivery.notice, delivery.recipient) for delivery in made)
            waiting = {delivery.notice for delivery in made if delivery.state is DeliveryState.WAITING}
            for notice, missing in new:
                if notice.id in waiting:
                    self._here.tell(_line(self._deployment, notice, missing))
        self._memory, self._is_over = memory, is_over

    def _missing(self, notice: Notice) -> tuple[Recipient, ...]:
        """Return the recipients that want a notice for which it was not yet made."""
        return tuple(
            recipient
            for recipient in self.recipients
            if notice.kind in recipient.events and (notice.id, recipient.name) not in self._known
        )

    async def _written(self, notice: Notice) -> Written:
        seconds = await self._here.block_time(notice.block_number)
        body = json.dumps(document(notice, self._deployment, seconds)).encode()
        return Written(notice.id, notice.kind, notice.block_number, body)

    def _delivery(self, view: DeploymentView, notice: Notice, recipient: Recipient) -> Delivery:
        is_old = view.block_number - notice.block_number > self._rules.oldest_blocks
        state = DeliveryState.TOO_OLD if is_old else DeliveryState.WAITING
        now = self._here.unix_time()
        return Delivery(notice.id, recipient.name, state, now, now)

    def close(self) -> None:
        """Let others follow it."""
        if self._inquiry is not None:
            self._inquiry.close()
        self.journal.close()


def _line(deployment: DeploymentId, notice: Notice, recipients: Sequence[Recipient]) -> Line:
    names = " ".join(recipient.name for recipient in recipients)
    fields = {**notice.fields, "id": notice.id, "deployment": full(deployment), "recipients": names}
    return Line(notice.block_number, notice.kind.value, f"{notice.kind.value}: {notice.text}", fields)

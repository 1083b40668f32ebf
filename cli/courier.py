"""Sends what journals say is due, each recipient's notices one after the other, all recipients beside each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from cli.core.retries import Delivery, DeliveryState, Outcome, Unanswered, after, wait_seconds
from cli.core.story import Line
from cli.notification_journal import NotificationJournal, Written
from cli.recipients import Mailbox, Recipient, Webhook
from cli.smtp import MailSender
from cli.webhook import WebhookSender


class Post:
    """Knows how each kind of recipient is reached."""

    def __init__(self, webhooks: WebhookSender, mails: MailSender | None) -> None:
        """
        Args:
            mails: None: no recipient gets mails.
        """
        self._webhooks = webhooks
        self._mails = mails

    async def send(self, recipient: Recipient, identity: str, body: bytes) -> Outcome:
        """Send a notice once; every failure is a value."""
        try:
            return await self._send(recipient, identity, body)
        except Exception as error:  # what a recipient brings about must not keep others from being told
            return Unanswered(f"internal error, {type(error).__name__}; please report it")

    async def _send(self, recipient: Recipient, identity: str, body: bytes) -> Outcome:
        match recipient:
            case Webhook():
                return await self._webhooks.send(recipient, identity, body)
            case Mailbox():
                assert self._mails is not None
                return await self._mails.send(recipient, identity, body)
            case _:
                assert_never(recipient)

    async def close(self) -> None:
        """End all connections."""
        await self._webhooks.close()


@dataclass(frozen=True, slots=True)
class _Rest:
    """A recipient of a deployment of which rounds fail for what is no fault of the recipient's."""

    failures: int
    """In a row."""
    until_seconds: float
    """Unix time."""


NO_REST = _Rest(0, 0.0)


class Courier:
    """Has at most one attempt under way for each recipient of each deployment."""

    def __init__(
        self,
        post: Post,
        unix_time: Callable[[], float],
        chance: Callable[[], float],
        give_up_seconds: float,
        tell: Callable[[Line], None],
    ) -> None:
        """
        Args:
            chance: from 0 to 1, anew each time.
            give_up_seconds: for how long it tries to deliver a notice.
            tell: shows what has happened.
        """
        self._post = post
        self._unix_time = unix_time
        self._chance = chance
        self._give_up_seconds = give_up_seconds
        self._tell = tell
        self._rounds: dict[tuple[NotificationJournal, str], asyncio.Task[None]] = {}
        self._rests: dict[tuple[NotificationJournal, str], _Rest] = {}

    def start(self, journal: NotificationJournal, recipients: Sequence[Recipient]) -> None:
        """Begin to send what is due, where nothing is under way.

        Raises:
            Failure: the journal can't be read, or an earlier round could not write what it did: it rests for a while.
        """
        now = self._unix_time()
        for recipient in recipients:
            self._end(journal, recipient.name, now)
        due = journal.due(now)
        for recipient in recipients:
            key = journal, recipient.name
            mine = [delivery for delivery in due if delivery.recipient == recipient.name]
            if mine and key not in self._rounds and now >= self._rests.get(key, NO_REST).until_seconds:
                self._rounds[key] = asyncio.create_task(self._round(journal, recipient, mine))

    def _end(self, journal: NotificationJournal, name: str, now_seconds: float) -> None:
        """Let go of a round that has ended; after one that has failed the next comes later and later."""
        task = self._rounds.get((journal, name))
        if task is None or not task.done():
            return
        error = self._rounds.pop((journal, name)).exception()
        rest = self._rests.pop((journal, name), NO_REST)
        if error is not None:
            until = now_seconds + wait_seconds(rest.failures, self._chance())
            self._rests[journal, name] = _Rest(rest.failures + 1, until)
            raise error

    async def settle(self) -> None:
        """Wait until what is under way has ended.

        Raises:
            Failure: a round could not write down what it did.
        """
        ends = await asyncio.gather(*self._rounds.values(), return_exceptions=True)
        self._rounds.clear()
        for error in filter(None, ends):
            raise error

    async def close(self) -> None:
        """Give up what is under way: it is sent again by whoever comes next."""
        for task in self._rounds.values():
            task.cancel()
        await asyncio.gather(*self._rounds.values(), return_exceptions=True)
        self._rounds.clear()

    async def _round(self, journal: NotificationJournal, recipient: Recipient, due: Sequence[Delivery]) -> None:
        for delivery in due:
            notice = journal.notice(delivery.notice)
            assert notice is not None  # the journal's own rule
            outcome = await self._post.send(recipient, notice.id, notice.body)
            done = after(delivery, outcome, self._unix_time(), self._chance(), self._give_up_seconds)
            journal.update(done)
            self._tell(told(notice, done))
            if done.state is DeliveryState.WAITING:
                return  # the others have the same way to go


def told(notice: Written, delivery: Delivery) -> Line:
    """Return what is shown of an attempt."""
    fields: dict[str, str | int | None] = {
        "id": notice.id,
        "notice": notice.kind,
        "deployment": json.loads(notice.body)["deployment"],
        "recipient": delivery.recipient,
        "attempts": delivery.attempts,
    }
    about = f"{notice.kind} to {delivery.recipient}"
    match delivery.state:
        case DeliveryState.DELIVERED:
            return Line(notice.block_number, "delivered", f"{about}: delivered", fields)
        case DeliveryState.FAILED:
            text = f"{about}: not delivered, {delivery.problem}"
            return Line(notice.block_number, "not-delivered", text, {**fields, "reason": delivery.problem})
    again = datetime.fromtimestamp(delivery.due_seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    text = f"{about}: {delivery.problem}; again at {again}"
    return Line(notice.block_number, "delivery-problem", text, {**fields, "reason": delivery.problem, "next": again})

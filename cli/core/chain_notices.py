"""Derives all notices that the chain alone proves, each time from the whole story: whenever one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cli.core.ends import BIDDING_BLOCKS
from cli.core.lease_funds import LeaseFunds
from cli.core.notices import Kind, Notice, notice_id
from cli.core.report import runway_blocks
from cli.core.view import Attempt, DeploymentView, Event, full
from moorage.money import Money
from moorage.types import DeploymentState, Lease, OrderState

BEGINNINGS = ("DeploymentSubmitted", "DeploymentUpdated", "OrderCreated")
"""What a tenant asks for; all of one block is one stage."""


def chain_notices(view: DeploymentView, money: Money, low_blocks: int) -> tuple[Notice, ...]:
    """Return every notice of a deployment, the oldest first; of several with one id only the first.

    Args:
        view: the deployment.
        money: of its market.
        low_blocks: the funds of a lease that last less long are low.
    """
    found: dict[str, Notice] = {}
    for notice in _Deriver(view, money, low_blocks).notices():
        found.setdefault(notice.id, notice)
    return tuple(found.values())


def stages(story: Iterable[Event]) -> int:
    """Return how often the tenant has asked for something: the submission and each update."""
    return len({event.block_number for event in story if event.name in BEGINNINGS})


class _Deriver:
    def __init__(self, view: DeploymentView, money: Money, low_blocks: int) -> None:
        self._view = view
        self._money = money
        self._low_blocks = low_blocks
        self._funds: dict[bytes, LeaseFunds] = {}
        self._providers: dict[bytes, int] = {}
        self._confirmed_block: dict[bytes, int] = {}
        """Of the last confirmation, or of the match: what the deadline counts from."""
        self._started: set[bytes] = set()
        self._ends: dict[bytes, str] = {}
        """Why orders and leases have ended that nothing replaces."""
        self._stages = 0
        self._stage_block = -1
        self._end_block = 0

    def notices(self) -> Iterator[Notice]:
        for event in self._view.story:
            handler = HANDLERS.get(event.name)
            if handler is not None:
                yield from handler(self, event, event.arguments)
        for attempt in self._view.current:
            if attempt.lease is not None and attempt.state is OrderState.LEASE_ACTIVE:
                yield from self._low_funds(attempt, attempt.lease)
            if attempt.state is OrderState.OPEN and not attempt.bids:
                yield from self._no_bids(attempt)
        yield from self._nothing_left()

    def begun(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        if event.block_number == self._stage_block:
            return
        self._stages += 1
        self._stage_block = event.block_number
        text = "the deployment was submitted" if self._stages == 1 else "an update was submitted"
        yield self._notice(event.block_number, Kind.DEPLOY_BEGIN, text, self._stages, number=self._stages)

    def matched(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        lease, provider = data["lease"], data["provider"]
        self._providers[lease] = provider
        self._funds[lease] = LeaseFunds(data["blocks"])
        self._confirmed_block[lease] = event.block_number
        attempt = self._view.attempt(lease)
        if attempt.replaced is not None:
            old = self._providers.get(attempt.replaced)
            text = (
                f"group {attempt.group.name} moves from provider {old} to provider {provider}; if it does not come up "
                "there, `moorage deploy` with the same file hands over the manifest"
            )
            moved = {"old_provider": old, "new_provider": provider}
            yield self._of_lease(event.block_number, Kind.PROVIDER_CHANGED, attempt, text, **moved)

    def confirmed(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        lease = data["lease"]
        self._funds[lease].confirm(event.block_number)
        self._confirmed_block[lease] = event.block_number
        if lease in self._started:
            return
        self._started.add(lease)
        attempt, provider = self._view.attempt(lease), self._providers[lease]
        text = f"group {attempt.group.name} has its resources at provider {provider}"
        yield self._of_lease(event.block_number, Kind.CLUSTER_CREATED, attempt, text, provider=provider)
        if attempt.replaced is not None:
            old = self._providers.get(attempt.replaced)
            text = f"group {attempt.group.name} is healed: provider {provider} provides what provider {old} did not"
            moved = {"old_provider": old, "new_provider": provider}
            yield self._of_lease(event.block_number, Kind.LEASE_HEALED, attempt, text, **moved)

    def funded(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        self._funds[data["lease"]].fund(data["blocks"], event.block_number, self._low_blocks)
        yield from ()

    def revived(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        self._funds[data["lease"]].revive(data["blocks"])
        self._confirmed_block[data["lease"]] = event.block_number
        yield from ()

    def stale(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        attempt, provider = self._view.attempt(data["lease"]), data["provider"]
        is_replaced = any(each.replaced == attempt.id for each in self._view.attempts)
        is_overdue = event.block_number > self._confirmed_block[attempt.id] + self._view.period_blocks
        why = f"provider {provider} " + ("did not confirm in time" if is_overdue else "has given it up")
        then = "a new order replaces it" if is_replaced else "it is not replaced"
        received = self._money.number(data["slashed"])
        text = f"the lease of group {attempt.group.name} is stale: {why}, you receive {received} {self._money.symbol}; "
        fields: dict[str, str | int | None] = {"provider": provider, "collateral_received": received}
        fields["replaced"] = "yes" if is_replaced else "no"
        yield self._of_lease(event.block_number, Kind.LEASE_STALE, attempt, text + then, **fields)
        yield from self._down(event, attempt, why)
        if not is_replaced:
            self._end(attempt, f"{why}, and it was not replaced", event)
            if not any(each in self._started for each in self._lineage(attempt)):
                text = f"group {attempt.group.name} never came up: {why}, and it was not replaced"
                yield self._of_lease(event.block_number, Kind.DEPLOY_FAILURE, attempt, text, reason=why)

    def closing(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        attempt = self._view.attempt(data["lease"])
        self._end(attempt, "closed by its tenant or a manager", event)
        yield from self._down(event, attempt, "closed by its tenant or a manager")

    def closed(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        attempt = self._view.attempt(data["lease"])
        self._end(attempt, self._ends.get(attempt.id, "its funds ran out"), event)
        yield from self._down(event, attempt, self._ends[attempt.id])

    def order_closed(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        self._end(self._view.attempt(data["order"]), "closed by its tenant or a manager", event)
        yield from ()

    def deleted(self, event: Event, data: Mapping[str, Any]) -> Iterator[Notice]:
        text = "the deployment is closed: its tenant has deleted it"
        yield self._notice(event.block_number, Kind.DEPLOYMENT_CLOSED, text, "deleted", reason="deleted by its tenant")

    def _down(self, event: Event, attempt: Attempt, why: str) -> Iterator[Notice]:
        if attempt.id in self._started:
            provider = self._providers[attempt.id]
            text = f"group {attempt.group.name} is down at provider {provider}: {why}"
            yield self._of_lease(event.block_number, Kind.CLUSTER_DOWN, attempt, text, provider=provider, reason=why)

    def _end(self, attempt: Attempt, why: str, event: Event) -> None:
        self._ends[attempt.id] = why
        self._end_block = event.block_number

    def _lineage(self, attempt: Attempt) -> Iterator[bytes]:
        """Yield an attempt's id and those of the leases that it was made for, one after the other."""
        yield attempt.id
        if attempt.replaced is not None:
            yield from self._lineage(self._view.attempt(attempt.replaced))

    def _no_bids(self, attempt: Attempt) -> Iterator[Notice]:
        number = attempt.match_block + BIDDING_BLOCKS
        if self._view.block_number >= number and self._view.state is DeploymentState.ACTIVE:
            text = f"no provider bids for group {attempt.group.name}: `moorage search` says who would"
            yield self._of_lease(number, Kind.DEPLOY_FAILURE, attempt, text, "no bids", reason="no bids")

    def _low_funds(self, attempt: Attempt, lease: Lease) -> Iterator[Notice]:
        left, funds = runway_blocks(self._view, lease), self._funds[lease.id]
        hours, group = self._money.hours(left), attempt.group.name
        if left == 0:
            text = f"the funds of group {group} are used up: its provider may stop it; `moorage fund` revives it"
            about = ("used up", funds.fundings)
        elif left < self._low_blocks:
            span = self._money.span(left)
            text = f"the funds of group {group} last for {span} more ({hours} h): `moorage fund` prolongs it"
            about = ("low", funds.refill)
        else:
            return
        number = self._view.block_number
        yield self._of_lease(number, Kind.FUNDS_LOW, attempt, text, *about, hours_left=hours, provider=lease.provider)

    def _nothing_left(self) -> Iterator[Notice]:
        view = self._view
        if view.state is not DeploymentState.ACTIVE or view.live_groups or not view.attempts:
            return
        ended = [attempt for attempt in view.attempts if attempt.id in self._ends]
        ends = {attempt.group.name: self._ends[attempt.id] for attempt in ended}
        why = "; ".join(f"{group}: {reason}" for group, reason in ends.items())
        text = f"the deployment has ended, no group lives any more: {why}; `moorage delete` brings back what is left"
        yield self._notice(self._end_block, Kind.DEPLOYMENT_CLOSED, text, "ended", view.attempts[-1].id, reason=why)

    def _of_lease(
        self, block: int, kind: Kind, attempt: Attempt, text: str, *about: str | int, **fields: str | int | None
    ) -> Notice:
        fields = {"lease": full(attempt.id), "group": attempt.group.name, **fields}
        return self._notice(block, kind, text, attempt.id, *about, **fields)

    def _notice(
        self, block: int, kind: Kind, text: str, *about: bytes | int | str, **fields: str | int | None
    ) -> Notice:
        return Notice(notice_id(self._view.id, kind, *about), kind, block, text, fields)


HANDLERS: dict[str, Callable[[_Deriver, Event, Mapping[str, Any]], Iterator[Notice]]] = {
    **dict.fromkeys(BEGINNINGS, _Deriver.begun),
    "LeaseCreated": _Deriver.matched,
    "LeaseConfirmed": _Deriver.confirmed,
    "LeaseFunded": _Deriver.funded,
    "LeaseRevived": _Deriver.revived,
    "LeaseStale": _Deriver.stale,
    "LeaseClosing": _Deriver.closing,
    "LeaseClosed": _Deriver.closed,
    "OrderClosed": _Deriver.order_closed,
    "DeploymentClosing": _Deriver.deleted,
}

"""Tells what has happened to a deployment, one line for each event that a tenant wants to know of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.core.view import DeploymentView, Event, full, short
from moorage import terms
from moorage.money import Money


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to tell."""

    block_number: int
    event: str
    """What happened, in one word for programs: `matched`, `stale`."""
    text: str
    fields: Mapping[str, str | int | None] = field(default_factory=dict)
    """The same for programs; ids are complete, money is in tokens."""


def tell(view: DeploymentView, money: Money, *, is_verbose: bool = False) -> tuple[Line, ...]:
    """Return the whole story.

    Args:
        view: the deployment.
        money: of its market.
        is_verbose: every confirmation and every claim too.
    """
    return tuple(_Teller(view, money, is_verbose).lines())


class _Teller:
    def __init__(self, view: DeploymentView, money: Money, is_verbose: bool) -> None:
        self._view = view
        self._money = money
        self._is_verbose = is_verbose
        self._awaiting: set[bytes] = set()
        """Leases whose next confirmation is the first one."""

    def lines(self) -> Iterator[Line]:
        for event in self._view.story:
            teller = TELLERS.get(event.name)
            line = teller(self, event, event.arguments) if teller else None
            if line is not None:
                yield line

    def _line(self, event: Event, word: str, text: str, **fields: str | int | None) -> Line:
        order = event.arguments.get("order", event.arguments.get("lease"))
        if order is not None:
            group = self._view.attempt(order).group.name
            text = f"{text} (group {group})" if len(self._view.current) > 1 else text
            fields = {"order": full(order), "group": group, **fields}
        return Line(event.block_number, word, text, fields)

    def submitted(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"deployment {full(data['deployment'])} submitted"
        return self._line(event, "submitted", text, deployment=full(data["deployment"]), version=full(data["version"]))

    def updated(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"version {data['update_number']} submitted: {short(data['version'])}"
        return self._line(event, "updated", text, version=full(data["version"]))

    def ordered(self, event: Event, data: Mapping[str, Any]) -> Line:
        wait = data["wait_duration"]
        text = f"order {short(data['order'])}: bids until block {event.block_number + wait} ({self._money.span(wait)})"
        return self._line(event, "ordered", text, match_block=event.block_number + wait)

    def ordered_again(self, event: Event, data: Mapping[str, Any]) -> Line:
        wait = terms.wait_duration_blocks(self._view.attempt(data["order"]).key)
        text = (
            f"order {short(data['order'])} replaces lease {short(data['replaced'])}, without provider "
            f"{data['excluded_provider']}: bids until block {event.block_number + wait} ({self._money.span(wait)})"
        )
        fields = {"replaced": full(data["replaced"]), "excluded_provider": data["excluded_provider"]}
        return self._line(event, "ordered-again", text, match_block=event.block_number + wait, **fields)

    def bid(self, event: Event, data: Mapping[str, Any]) -> Line:
        price = self._money.per_hour(data["charge"])
        text = f"order {short(data['order'])}: provider {data['provider']} bids {price}"
        hourly = self._money.hourly_number(data["charge"])
        return self._line(event, "bid", text, provider=data["provider"], price_per_hour=hourly)

    def cancelled(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"order {short(data['order'])}: provider {data['provider']} takes its bid back"
        return self._line(event, "bid-cancelled", text, provider=data["provider"])

    def evicted(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"order {short(data['order'])}: provider {data['provider']} is outbid, the book is full"
        return self._line(event, "bid-evicted", text, provider=data["provider"])

    def order_funded(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"order {short(data['order'])} funded with {self._money.amount(data['amount'])}"
        return self._line(event, "order-funded", text, amount=self._money.number(data["amount"]))

    def order_closed(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"order {short(data['order'])} closed: {self._money.amount(data['refund'])} back"
        return self._line(event, "order-closed", text, refund=self._money.number(data["refund"]))

    def matched(self, event: Event, data: Mapping[str, Any]) -> Line:
        self._awaiting.add(data["lease"])
        price = self._money.per_hour(data["charge"])
        text = (
            f"lease {short(data['lease'])} matched: provider {data['provider']} at {price}, "
            f"prepaid for {self._money.span(data['blocks'])}"
        )
        hourly = self._money.hourly_number(data["charge"])
        fields = {"provider": data["provider"], "price_per_hour": hourly, "prepaid_blocks": data["blocks"]}
        return self._line(event, "matched", text, **fields)

    def confirmed(self, event: Event, data: Mapping[str, Any]) -> Line | None:
        if data["lease"] in self._awaiting:
            self._awaiting.discard(data["lease"])
            text = f"lease {short(data['lease'])}: provider has confirmed, the charge runs from here"
            return self._line(event, "started", text)
        if not self._is_verbose:
            return None
        return self._line(event, "confirmed", f"lease {short(data['lease'])} confirmed")

    def funded(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = f"lease {short(data['lease'])} funded for {self._money.span(data['blocks'])} more"
        return self._line(event, "funded", text, blocks=data["blocks"])

    def revived(self, event: Event, data: Mapping[str, Any]) -> Line:
        self._awaiting.add(data["lease"])
        text = f"lease {short(data['lease'])} revived for {self._money.span(data['blocks'])}"
        return self._line(event, "revived", text, blocks=data["blocks"])

    def claimed(self, event: Event, data: Mapping[str, Any]) -> Line | None:
        if not self._is_verbose:
            return None
        text = f"lease {short(data['lease'])}: {self._money.amount(data['amount'])} paid to the provider"
        return self._line(event, "claimed", text, amount=self._money.number(data["amount"]))

    def stale(self, event: Event, data: Mapping[str, Any]) -> Line:
        slashed, earned = self._money.amount(data["slashed"]), self._money.amount(data["earned"])
        text = (
            f"lease {short(data['lease'])} is stale: provider {data['provider']} did not confirm; "
            f"you receive its collateral of {slashed}, {earned} were still owed to it"
        )
        fields = {"provider": data["provider"], "collateral_received": self._money.number(data["slashed"])}
        return self._line(event, "stale", text, **fields)

    def closing(self, event: Event, data: Mapping[str, Any]) -> Line:
        return self._line(event, "closing", f"lease {short(data['lease'])} is closing: nothing more is charged")

    def closed(self, event: Event, data: Mapping[str, Any]) -> Line:
        text = (
            f"lease {short(data['lease'])} closed: {self._money.amount(data['earned'])} to provider "
            f"{data['provider']}, {self._money.amount(data['refund'])} back"
        )
        fields = {"provider": data["provider"], "refund": self._money.number(data["refund"])}
        return self._line(event, "closed", text, **fields)

    def deployment_closing(self, event: Event, data: Mapping[str, Any]) -> Line:
        return self._line(event, "deployment-closing", "deployment is closing")

    def deployment_closed(self, event: Event, data: Mapping[str, Any]) -> Line:
        return self._line(event, "deployment-closed", "deployment is closed")


TELLERS: dict[str, Callable[[_Teller, Event, Mapping[str, Any]], Line | None]] = {
    "DeploymentSubmitted": _Teller.submitted,
    "DeploymentUpdated": _Teller.updated,
    "DeploymentClosing": _Teller.deployment_closing,
    "DeploymentClosed": _Teller.deployment_closed,
    "OrderCreated": _Teller.ordered,
    "OrderRecreated": _Teller.ordered_again,
    "OrderFunded": _Teller.order_funded,
    "OrderClosed": _Teller.order_closed,
    "FulfillmentSubmitted": _Teller.bid,
    "FulfillmentCancelled": _Teller.cancelled,
    "FulfillmentEvicted": _Teller.evicted,
    "LeaseCreated": _Teller.matched,
    "LeaseConfirmed": _Teller.confirmed,
    "LeaseFunded": _Teller.funded,
    "LeaseRevived": _Teller.revived,
    "LeaseClaimed": _Teller.claimed,
    "LeaseStale": _Teller.stale,
    "LeaseClosing": _Teller.closing,
    "LeaseClosed": _Teller.closed,
}
"""What is not in here is not told."""

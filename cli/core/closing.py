"""What is due next until a deployment is closed, and what it has cost in the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cli.core.view import Attempt, DeploymentView, Event
from moorage.types import DeploymentState, OrderKey, OrderState

PATIENCE_BLOCKS = 3
"""How long to leave a tip to facilitators; the tenant gets it by doing their work."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Send `close_deployment`: it ends the orders and brings the leases to closing."""

    keys: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class FinishLeases:
    """Send `finish_leases`: the providers have not confirmed in the grace."""

    keys: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class EndDeployment:
    """Send `deployment_closed`: no group lives any more."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Others are at work."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The deployment is closed."""


Step = GiveUp | FinishLeases | EndDeployment | Wait | Done


def next_step(view: DeploymentView) -> Step:
    """Return what a tenant that wants its deployment closed does at this block."""
    if view.state is DeploymentState.CLOSED:
        return Done()
    unclosed = _keys(view, OrderState.OPEN, OrderState.LEASE_ACTIVE)
    if view.state is DeploymentState.ACTIVE or unclosed:
        return GiveUp(unclosed)
    overdue = tuple(attempt.key for attempt in view.attempts if _is_overdue(view, attempt))
    if overdue:
        return FinishLeases(overdue)
    closing = [attempt for attempt in view.attempts if attempt.state is OrderState.LEASE_CLOSING]
    if closing:
        return Wait(f"waiting for {_providers(closing)} to reset and confirm")
    if view.block_number >= view.story[-1].block_number + PATIENCE_BLOCKS:
        return EndDeployment()
    return Wait("waiting for a facilitator to close the deployment")


def _is_overdue(view: DeploymentView, attempt: Attempt) -> bool:
    """Return whether a closing lease may be finished by anyone, and nobody has."""
    lease = attempt.lease
    return (
        lease is not None
        and attempt.state is OrderState.LEASE_CLOSING
        and view.block_number > lease.confirmed_block + view.grace_blocks + PATIENCE_BLOCKS
    )


def _keys(view: DeploymentView, *states: OrderState) -> tuple[OrderKey, ...]:
    return tuple(attempt.key for attempt in view.attempts if attempt.state in states)


def _providers(attempts: Iterable[Attempt]) -> str:
    numbers = sorted({attempt.provider for attempt in attempts if attempt.provider is not None})
    return ("provider " if len(numbers) == 1 else "providers ") + ", ".join(map(str, numbers))


@dataclass(frozen=True, slots=True)
class Held:
    """What a deployment holds of its tenant's money, in ledger units."""

    unused: int
    """Prepaid and not earned by a provider yet."""
    earned: int
    """By providers that have not claimed it."""
    tips: int
    """Of matches, finishes and the closing; what nobody earns comes back."""

    @property
    def total(self) -> int:
        return self.unused + self.earned + self.tips


def held(view: DeploymentView) -> Held:
    """Return what stays in a deployment until it is deleted."""
    live = [attempt for attempt in view.attempts if attempt.is_live]
    is_open = sum(attempt.state is OrderState.OPEN for attempt in live)
    tips = view.tip * (is_open + len(live) + (view.state is not DeploymentState.CLOSED))
    earned = sum(attempt.lease.earned for attempt in live if attempt.lease is not None)
    return Held(_held(view) - is_open * view.tip - earned, earned, tips)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a deployment's money went, in ledger units.

    Once it is closed: put_in + collateral_received = paid + tips + came_back.
    """

    put_in: int
    """Deposits, tips and fundings, whoever paid them."""
    collateral_received: int
    """Of providers that failed, less the tip of those who ended their leases."""
    paid: int
    """To providers."""
    came_back: int
    """To the tenant's account, with the tips that it has earned itself."""
    tips: int
    """To facilitators, or still held."""


def settlement(view: DeploymentView) -> Settlement:
    """Return what a deployment has cost so far, by its story."""
    story = view.story
    charges = {event.arguments["lease"]: event.arguments["charge"] for event in story if event.name == "LeaseCreated"}
    deposits = _sum(story, "deposit", "OrderCreated") + _sum(story, "amount", "OrderFunded")
    prolonged = [event.arguments for event in story if event.name in ("LeaseFunded", "LeaseRevived")]
    fundings = sum(data["blocks"] * charges[data["lease"]] for data in prolonged)
    orders = sum(event.name == "OrderCreated" for event in story)
    put_in = deposits + fundings + (orders + 1) * view.tip
    paid = _sum(story, "earned", "LeaseStale", "LeaseClosed", "LeaseRevived") + _claimed_before_stale(story)
    won_tips = [event.name for event in story if _cranked_by_tenant(event, view)]
    received = _sum(story, "slashed", "LeaseStale") + won_tips.count("LeaseStale") * view.tip
    back = _sum(story, "refund", "OrderClosed", "LeaseCreated", "LeaseStale", "LeaseClosed") + len(won_tips) * view.tip
    held = 0 if view.state is DeploymentState.CLOSED else _held(view)
    return Settlement(put_in, received, paid, back, put_in + received - paid - back - held)


def _claimed_before_stale(story: Iterable[Event]) -> int:
    """Return what was claimed of leases that were not stale: of a stale one it is in the event of its end."""
    stale, claimed = set(), 0
    for event in story:
        if event.name == "LeaseStale":
            stale.add(event.arguments["lease"])
        elif event.name == "LeaseClaimed" and event.arguments["lease"] not in stale:
            claimed += event.arguments["amount"]
    return claimed


def _cranked_by_tenant(event: Event, view: DeploymentView) -> bool:
    """Return whether the tip of an event went to the tenant's own account."""
    caller = event.arguments.get("finisher", event.arguments.get("facilitator"))
    return caller is not None and str(caller).lower() == view.tenant.lower()


def _held(view: DeploymentView) -> int:
    """Return what orders and leases hold beside tips of finishes and of the closing."""
    held = sum(attempt.deposit for attempt in view.attempts)
    for attempt in view.attempts:
        if attempt.lease is not None and attempt.is_live:
            lease = attempt.lease
            held += lease.charge_per_block * (lease.funded_block - lease.claimed_block) + lease.remainder
    return held


def _sum(story: Iterable[Event], argument: str, *names: str) -> int:
    return sum(event.arguments[argument] for event in story if event.name in names)

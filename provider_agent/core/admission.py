"""Decides whether an order gets a bid: what is possible, what the settings limit, what an operator's own function says.

Each step returns the reason why not, or None. The first reason counts, and it is logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moorage.snapshot import Snapshot
from moorage.types import Account, ComputeUnit, DeploymentState, Order, Provider
from provider_agent.core.capacity import fits, minus, total
from provider_agent.core.pricing import PricePolicy, Pricing, price_per_block, prices_of

MAX_REASON_CHARACTERS = 200


class AdmissionPolicy(Protocol):
    """A function of an operator: `policy = "module:function"` in the settings.

    It is asked about each open order that is possible and within the limits, at each block, so it should be quick. What
    it raises declines the order.
    """

    def __call__(self, snapshot: Snapshot, order: Order, prices: tuple[int, ...]) -> str | None:
        """Return why the order gets no bid, or None if it gets one.

        Args:
            snapshot: the whole market at the newest block.
            order: one of its open orders.
            prices: what the bid would ask for a compute unit of each resource group, in ledger units per block.
        """
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What an order may be like; None is no limit. Collateral is ledger units, sizes are those of the whole order."""

    longest_wait_blocks: int | None = None
    """How far away its match may be: a bid holds capacity and collateral until then."""
    exposure: int | None = None
    """Collateral that may be locked at a time, by live bids and leases together."""
    exposure_per_lease: int | None = None
    smallest: ComputeUnit | None = None
    """In no dimension may an order be smaller."""
    largest_milli_cpu: int | None = None
    largest_memory_bytes: int | None = None
    largest_disk_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """How a provider chooses and prices."""

    limits: Limits = Limits()
    policy: AdmissionPolicy | None = None
    pricing: Pricing = price_per_block


@dataclass(frozen=True, slots=True)
class Means:
    """What a provider has left for one more bid."""

    provider: Provider
    free: ComputeUnit
    account: Account
    locked: int
    """Collateral of its live bids and leases."""

    def without(self, size: ComputeUnit, collateral: int) -> Means:
        """Return what is left after a bid."""
        account = Account(self.account.available - collateral, self.account.committed + collateral)
        return Means(self.provider, minus(self.free, size), account, self.locked + collateral)


def admit(
    snapshot: Snapshot, order: Order, means: Means, prices: PricePolicy, admission: Admission
) -> tuple[int, ...] | str:
    """Return the prices of a bid on an order, or the reason why there is none. Never raises."""
    try:
        asked = prices_of(order.group, prices, admission.pricing)
    except (Exception, SystemExit) as error:  # an operator's own function: the order is declined, the loop goes on
        return _blamed("the pricing function", error)
    reason = (
        impossible(snapshot, order, means, asked)
        or beyond_limits(snapshot, order, means, admission.limits)
        or _unwanted(snapshot, order, asked, admission.policy)
    )
    return asked if reason is None else reason


def impossible(snapshot: Snapshot, order: Order, means: Means, prices: tuple[int, ...]) -> str | None:
    """Return why the exchange would refuse a bid, or we could not serve the lease."""
    provider, account = means.provider, means.account
    deployment = snapshot.deployments.get(order.key.deployment)
    if deployment is None or deployment.state is not DeploymentState.ACTIVE:
        return "the deployment is closing"
    if not order.group.regions & provider.region:
        return "it wants another region"
    if order.excluded_provider == provider.number:
        return "we let this lease go stale before"
    if not fits(total(order.group), means.free):
        return "too little capacity is free"
    if any(price > resource.price_per_block for price, resource in zip(prices, order.group.resources, strict=True)):
        return "its maximum price is below ours"
    if order.collateral > account.available:
        return "too little collateral is free"
    if order.collateral > provider.collateral_cap - account.committed:
        return "the collateral cap leaves too little"
    # a full book is no reason: the exchange evicts its worst bid for a better one, and refuses ours at no cost else
    return None


def beyond_limits(snapshot: Snapshot, order: Order, means: Means, limits: Limits) -> str | None:
    """Return which limit of the settings an order goes beyond."""
    wait = limits.longest_wait_blocks
    if wait is not None and order.match_block > snapshot.block.number + wait:
        return "its match is too far away"
    if _above(order.collateral, limits.exposure_per_lease):
        return "it wants more collateral than we give for one lease"
    if _above(means.locked + order.collateral, limits.exposure):
        return "our collateral at stake would be more than we allow"
    return _bad_size(total(order.group), limits)


def _bad_size(size: ComputeUnit, limits: Limits) -> str | None:
    if limits.smallest is not None and not fits(limits.smallest, size):
        return "it is smaller than what we take"
    if (
        _above(size.milli_cpu, limits.largest_milli_cpu)
        or _above(size.memory_bytes, limits.largest_memory_bytes)
        or _above(size.disk_bytes, limits.largest_disk_bytes)
    ):
        return "it is larger than what we take"
    return None


def _above(value: int, limit: int | None) -> bool:
    return limit is not None and value > limit


def _unwanted(snapshot: Snapshot, order: Order, prices: tuple[int, ...], policy: AdmissionPolicy | None) -> str | None:
    if policy is None:
        return None
    try:
        answer = policy(snapshot, order, prices)
    except (Exception, SystemExit) as error:  # an operator's own function: the order is declined, the loop goes on
        return _blamed("the policy", error)
    if answer is None:
        return None
    if not isinstance(answer, str):
        return f"the policy has to return a reason or None, not {type(answer).__name__}"
    return _printable(answer) or "the policy gave no reason"


def _blamed(what: str, error: BaseException) -> str:
    return _printable(f"{what} failed: {type(error).__name__}: {error}")


def _printable(text: str) -> str:
    """Return text of others as it may stand in a log."""
    return "".join(character if character.isprintable() else " " for character in text)[:MAX_REASON_CHARACTERS].strip()

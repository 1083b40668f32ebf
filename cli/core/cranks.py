"""What anyone may do by hand when no facilitator does it: what is ready, why the rest is not, and what it pays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from cli.core.report import counted
from moorage.due import end_block, is_finishable, will_be_stale
from moorage.money import Money
from moorage.types import (
    DeploymentId,
    DeploymentState,
    Lease,
    OrderId,
    OrderKey,
    OrderState,
    Parameters,
    ProviderNumber,
)


class Crank(StrEnum):
    """The commands."""

    MATCH = "match"
    STALE = "stale"
    FINISH = "finish"
    CLAIM = "claim"
    RELEASE = "release"


CONCERNED = {
    Crank.MATCH: {OrderState.OPEN},
    Crank.STALE: {OrderState.LEASE_ACTIVE},
    Crank.FINISH: {OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING},
    Crank.CLAIM: {OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING, OrderState.LEASE_STALE},
    Crank.RELEASE: set(OrderState) - {OrderState.OPEN},
}
"""In which states something can be ready."""
PAID = (Crank.MATCH, Crank.STALE, Crank.FINISH)
"""Those that earn a tip for each thing that they act on."""


@dataclass(frozen=True, slots=True)
class OrderItem:
    """An order at one block, or the lease that it has become."""

    id: OrderId
    key: OrderKey
    group: str
    state: OrderState
    match_block: int
    """The first block in which it may be matched; 0 unless it is open."""
    bid_count: int
    """0 unless it is open."""
    lease: Lease | None
    """Once it is matched."""
    losers: tuple[ProviderNumber, ...] = ()
    """Whose bids lock collateral though they have not won; for `release` only."""


@dataclass(frozen=True, slots=True)
class DeploymentItem:
    """A deployment at one block."""

    id: DeploymentId
    state: DeploymentState
    live_groups: int


Item = OrderItem | DeploymentItem


@dataclass(frozen=True, slots=True)
class Moment:
    """The newest block, and the market's rules."""

    block_number: int
    parameters: Parameters
    money: Money

    @property
    def next_block(self) -> int:
        """The first block that can have what is sent now."""
        return self.block_number + 1

    def tips(self, crank: Crank, count: int) -> int:
        """Return the ledger units that acting on so many things earns."""
        return count * self.parameters.facilitator_tip if crank in PAID else 0

    def wait(self, block: int) -> str:
        """Return how long it is until a block."""
        left = block - self.block_number
        return f"from block {block} on, {counted(left, 'block')} to go ({self.money.span(left)})"


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is not ready."""

    item: Item
    reason: str


def of_provider(items: Iterable[Item], provider: ProviderNumber) -> tuple[OrderItem, ...]:
    """Return what a provider gets money from: the leases that it has, the bids of its own that have lost."""
    return tuple(
        replace(item, losers=(provider,) if provider in item.losers else ())
        for item in items
        if isinstance(item, OrderItem) and _concerns(item, provider)
    )


def _concerns(item: OrderItem, provider: ProviderNumber) -> bool:
    return provider in item.losers or (item.lease is not None and item.lease.provider == provider)


def sift(crank: Crank, items: Iterable[Item], moment: Moment) -> tuple[tuple[Item, ...], tuple[Skipped, ...]]:
    """Part what the exchange would act on in the next block, the oldest first, from what it would skip."""
    judged = [(item, obstacle(crank, item, moment)) for item in items]
    ready = sorted((item for item, reason in judged if reason is None), key=_age)
    return tuple(ready), tuple(Skipped(item, reason) for item, reason in judged if reason is not None)


def obstacle(crank: Crank, item: Item, moment: Moment) -> str | None:
    """Return why the exchange would not act on something in the next block; None if it would."""
    if isinstance(item, DeploymentItem):
        return _unclosable(item)
    match crank:
        case Crank.MATCH:
            return _unmatchable(item, moment)
        case Crank.STALE:
            return _not_stale(item, moment)
        case Crank.FINISH:
            return _unfinishable(item, moment)
        case Crank.CLAIM:
            return _unclaimable(item)
        case Crank.RELEASE:
            return _unreleasable(item)
        case _:
            assert_never(crank)


def earned(lease: Lease) -> int:
    """Return the ledger units that a claim moves to the provider's account."""
    return lease.unclaimed if lease.state is OrderState.LEASE_STALE else lease.earned


def describe(crank: Crank, item: Item, money: Money) -> str:
    """Return what is ready, for people."""
    if isinstance(item, DeploymentItem):
        return f"deployment 0x{item.id.hex()}: nothing lives in it any more"
    lease = item.lease
    if lease is None:
        detail = counted(item.bid_count, "bid")
    elif crank is Crank.CLAIM:
        detail = f"{money.amount(earned(lease))} to provider {lease.provider}"
    else:
        detail = f"provider {lease.provider}"
    if crank is Crank.RELEASE:
        detail = f"collateral of {providers(item.losers)}"
    return f"{_kind(item)} 0x{item.id.hex()} of group {item.group}: {detail}"


def counted_items(items: Sequence[Item]) -> str:
    """Return things in words: `2 leases and 1 deployment`."""
    kinds = [_kind(item) for item in items]
    return " and ".join(counted(kinds.count(kind), kind) for kind in dict.fromkeys(kinds))


def _kind(item: Item) -> str:
    if isinstance(item, DeploymentItem):
        return "deployment"
    return "order" if item.lease is None else "lease"


def providers(numbers: tuple[ProviderNumber, ...]) -> str:
    """Return providers in words."""
    return f"provider{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


def _age(item: Item) -> tuple[int, bytes]:
    if isinstance(item, DeploymentItem):
        return 0, item.id
    return item.lease.confirmed_block if item.lease else item.match_block, item.id


_ENDED = {
    OrderState.OPEN: "it is an open order, not matched yet",
    OrderState.CLOSED: "the order was closed before anybody matched it",
    OrderState.LEASE_ACTIVE: "it is an active lease already",
    OrderState.LEASE_STALE: "the lease was ended as stale already",
    OrderState.LEASE_CLOSING: "the lease is closing already",
    OrderState.LEASE_CLOSED: "the lease is closed already",
}
"""What something is instead of what the command is about."""


def _unmatchable(item: OrderItem, moment: Moment) -> str | None:
    if item.state is not OrderState.OPEN:
        return _ENDED[item.state]
    if not item.bid_count:
        return "no provider has bid on it"
    return moment.wait(item.match_block) if moment.next_block < item.match_block else None


def _not_stale(item: OrderItem, moment: Moment) -> str | None:
    lease = item.lease
    if lease is None or item.state is not OrderState.LEASE_ACTIVE:
        return _ENDED[item.state]
    if lease.is_stale(moment.next_block, moment.parameters.reconfirmation_period_blocks):
        return None
    end = moment.wait(end_block(lease, moment.parameters)) if _is_ahead(lease, moment) else "now"
    if will_be_stale(lease, moment.parameters):
        return f"its provider is in time; unless it confirms it is stale {end}"
    return f"it is paid until block {lease.funded_block} and never stale after that; `moorage finish` ends it {end}"


def _is_ahead(lease: Lease, moment: Moment) -> bool:
    return end_block(lease, moment.parameters) > moment.next_block


def _unfinishable(item: OrderItem, moment: Moment) -> str | None:
    lease, parameters = item.lease, moment.parameters
    if lease is None or item.state not in (OrderState.LEASE_ACTIVE, OrderState.LEASE_CLOSING):
        return _ENDED[item.state]
    if is_finishable(lease, moment.next_block, parameters):
        return None
    if item.state is OrderState.LEASE_CLOSING:
        return f"its provider has time to confirm the closing; {moment.wait(end_block(lease, parameters))}"
    if lease.is_stale(moment.next_block, parameters.reconfirmation_period_blocks):
        return "it is stale: `moorage stale` ends it"
    if lease.is_awaiting:
        return "its provider has not confirmed it yet"
    if moment.next_block < lease.funded_block:
        left = lease.funded_block - moment.block_number
        return f"it is prepaid until block {lease.funded_block}, {counted(left, 'block')} to go"
    return f"it is used up; {moment.wait(end_block(lease, parameters))}"


def _unclosable(item: DeploymentItem) -> str | None:
    if item.state is DeploymentState.CLOSED:
        return "the deployment is closed already"
    if item.state is DeploymentState.ACTIVE:
        return "the deployment is active: only its tenant can give it up"
    return f"{counted(item.live_groups, 'group')} of it alive" if item.live_groups else None


def _unclaimable(item: OrderItem) -> str | None:
    if item.lease is None:
        return _ENDED[item.state]
    if item.state is OrderState.LEASE_CLOSED:
        return "the lease is closed: its provider was paid with that"
    return None if earned(item.lease) else "nothing is earned that was not claimed"


def _unreleasable(item: OrderItem) -> str | None:
    if item.state is OrderState.OPEN:
        return "the order is open: nobody has lost yet"
    return None if item.losers else "no bid that has lost locks collateral"

"""The open orders that a provider may bid on, and what it holds already: a block costs what may be decided otherwise.

An order that is declined is looked at again when it changes, when its deployment or our registration does, and when
what it wants more than there was is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from moorage.agenda import Agenda
from moorage.snapshot import Snapshot
from moorage.types import (
    Account,
    ComputeUnit,
    DeploymentId,
    DeploymentState,
    Fulfillment,
    Order,
    OrderId,
    Provider,
    ProviderNumber,
)
from provider_agent.core.admission import Admission, Limits, Means
from provider_agent.core.bidding import Declined, SubmitFulfillment, after_bid, decide_bids
from provider_agent.core.capacity import minus, plus, total
from provider_agent.core.pricing import PricePolicy, price_per_block

NOTHING = ComputeUnit(0, 0, 0)


class Want(Enum):
    """What there may be too little of, and more later."""

    BLOCKS = auto()
    MILLI_CPU = auto()
    MEMORY = auto()
    DISK = auto()
    COLLATERAL = auto()
    CAP = auto()
    EXPOSURE = auto()


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a lease or a bid of ours takes."""

    size: ComputeUnit
    collateral: int


class Prospects:
    """Decides like a look at all orders would."""

    def __init__(
        self, provider: ProviderNumber, capacity: ComputeUnit, prices: PricePolicy, admission: Admission | None = None
    ) -> None:
        """
        Args:
            capacity: what the machine has for leases in all.
            prices: ours.
            admission: limits, and the operator's own functions: those are asked again at each block.
        """
        self._number = provider
        self._capacity = capacity
        self._prices = prices
        self._admission = admission or Admission()
        self._holdings: dict[OrderId, _Holding] = {}
        self._locked = 0
        self._open: dict[OrderId, DeploymentId] = {}  # without a bid of ours
        self._open_of: dict[DeploymentId, set[OrderId]] = {}
        self._states: dict[DeploymentId, DeploymentState | None] = {}  # of the same
        self._candidates: set[OrderId] = set()
        self._waits: dict[Want, Agenda[OrderId]] = {want: Agenda() for want in Want}
        self._registered: Provider | None = None
        self.reserved = NOTHING
        """What our leases use and our live bids may come to use."""
        self.declined: dict[OrderId, str] = {}
        """Why there is no bid, as of when it was looked at last."""

    @property
    def are_any(self) -> bool:
        """Whether there is an order without a bid of ours."""
        return bool(self._open)

    def update(self, snapshot: Snapshot) -> None:
        """Take in what differs from the snapshot before."""
        touched = snapshot.touched
        if touched is None:
            for order in {*self._holdings, *self._open}:
                self._look_at(snapshot, order)
        for order in touched.orders if touched else {*snapshot.orders, *snapshot.leases, *snapshot.fulfillments}:
            self._look_at(snapshot, order)
        for deployment in touched.deployments if touched else ():
            state = _state(snapshot, deployment)
            if deployment in self._states and self._states[deployment] is not state:
                self._states[deployment] = state
                self._candidates |= self._open_of[deployment]

    def decide(
        self,
        snapshot: Snapshot,
        provider: Provider,
        account: Account,
        offered: Mapping[OrderId, Fulfillment],
        is_set_aside: Callable[[OrderId], bool] = lambda _: False,
    ) -> tuple[SubmitFulfillment | Declined, ...]:
        """Return a bid for each order that gets one, the oldest first, and the reasons that are new.

        Args:
            snapshot: the one that was taken in last.
            provider: us, as registered at its block.
            account: the provider's account at its block.
            offered: bids on their way, which the snapshot need not have yet.
            is_set_aside: tells of which orders no bid would be sent now: they take nothing from the others.
        """
        means = self._means(snapshot, provider, account, offered)
        if provider != self._registered:
            self._registered = provider
            self._candidates |= self._open.keys()
        for want, amount in _amounts(snapshot, means, self._admission.limits).items():
            self._candidates.update(self._waits[want].due(amount))
        asked = [each for each in self._candidates if each not in offered and not is_set_aside(each)]
        orders = [snapshot.orders[each] for each in asked]
        decisions = decide_bids(snapshot, orders, means, self._prices, self._admission)
        for decision in decisions:
            if isinstance(decision, SubmitFulfillment):
                means = after_bid(means, snapshot.orders[decision.order])
        left = _amounts(snapshot, means, self._admission.limits)
        return tuple(each for each in decisions if self._is_news(snapshot, each, left))

    def _is_news(self, snapshot: Snapshot, decision: SubmitFulfillment | Declined, left: Mapping[Want, int]) -> bool:
        """Note a decision, and until when it holds; return whether it is another one than before."""
        if isinstance(decision, SubmitFulfillment):  # it may fail, and is looked at until the snapshot has it
            self.declined.pop(decision.order, None)
            return True
        order = decision.order
        needs = _needs(snapshot.orders[order], self._admission.limits)
        lack = next((want for want, need in needs.items() if need > left[want]), None)
        for want, agenda in self._waits.items():
            agenda.set(order, needs[want] if want is lack else None)
        if lack is not None or not self._is_fickle:
            self._candidates.discard(order)
        is_news = self.declined.get(order) != decision.reason
        self.declined[order] = decision.reason
        return is_news

    @property
    def _is_fickle(self) -> bool:
        """Whether an operator's own function has a say."""
        return self._admission.policy is not None or self._admission.pricing is not price_per_block

    def _look_at(self, snapshot: Snapshot, order: OrderId) -> None:
        self._hold(order, _holding(snapshot, order, self._number))
        for agenda in self._waits.values():
            agenda.set(order, None)
        deployment = self._open.pop(order, None)
        if deployment is not None:
            self._open_of[deployment].discard(order)
            if not self._open_of[deployment]:
                del self._open_of[deployment], self._states[deployment]
        if order in snapshot.orders and order not in snapshot.fulfillments:
            deployment = snapshot.orders[order].key.deployment
            self._open[order] = deployment
            self._open_of.setdefault(deployment, set()).add(order)
            self._states.setdefault(deployment, _state(snapshot, deployment))
            self._candidates.add(order)
        else:
            self._candidates.discard(order)
            self.declined.pop(order, None)

    def _hold(self, order: OrderId, holding: _Holding | None) -> None:
        before = self._holdings.pop(order, None)
        if before is not None:
            self.reserved, self._locked = minus(self.reserved, before.size), self._locked - before.collateral
        if holding is not None:
            self._holdings[order] = holding
            self.reserved, self._locked = plus(self.reserved, holding.size), self._locked + holding.collateral

    def _means(
        self, snapshot: Snapshot, provider: Provider, account: Account, offered: Mapping[OrderId, Fulfillment]
    ) -> Means:
        """Return what is left when the bids on their way have got into blocks."""
        means = Means(provider, minus(self._capacity, self.reserved), account, self._locked)
        for bid in offered.values():
            if bid.order not in snapshot.fulfillments:
                order = snapshot.orders.get(bid.order)
                means = means.without(total(order.group) if order is not None else NOTHING, bid.collateral)
        return means


def _state(snapshot: Snapshot, deployment: DeploymentId) -> DeploymentState | None:
    return snapshot.deployments[deployment].state if deployment in snapshot.deployments else None


def _holding(snapshot: Snapshot, order: OrderId, provider: ProviderNumber) -> _Holding | None:
    lease, bid = snapshot.leases.get(order), snapshot.fulfillments.get(order)
    taken = None
    if lease is not None and lease.provider == provider:
        taken = snapshot.leased_orders[order]
    elif bid is not None:
        taken = snapshot.orders.get(order)
    if taken is None and bid is None:
        return None
    return _Holding(total(taken.group) if taken else NOTHING, bid.collateral if bid else 0)


def _needs(order: Order, limits: Limits) -> dict[Want, int]:
    size = total(order.group)
    return {
        Want.BLOCKS: order.match_block - (limits.longest_wait_blocks or 0),
        Want.MILLI_CPU: size.milli_cpu,
        Want.MEMORY: size.memory_bytes,
        Want.DISK: size.disk_bytes,
        Want.COLLATERAL: order.collateral,
        Want.CAP: order.collateral,
        Want.EXPOSURE: order.collateral,
    }


def _amounts(snapshot: Snapshot, means: Means, limits: Limits) -> dict[Want, int]:
    """Return what there is of everything; without a limit, more than any order needs."""
    endless = 2**256
    return {
        Want.BLOCKS: snapshot.block.number if limits.longest_wait_blocks is not None else endless,
        Want.MILLI_CPU: means.free.milli_cpu,
        Want.MEMORY: means.free.memory_bytes,
        Want.DISK: means.free.disk_bytes,
        Want.COLLATERAL: means.account.available,
        Want.CAP: means.provider.collateral_cap - means.account.committed,
        Want.EXPOSURE: limits.exposure - means.locked if limits.exposure is not None else endless,
    }

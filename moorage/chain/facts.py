"""What the exchange's logs tell and its storage does not keep: terms, versions, who bid where.

Facts say what exists and what to read; the state of everything is read from the chain at one block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eth_utils.address import to_checksum_address

from moorage import terms
from moorage.chain.logs import Happening
from moorage.snapshot import Touched
from moorage.types import (
    Address,
    ComputeUnit,
    DeploymentId,
    Group,
    OrderId,
    OrderKey,
    Parameters,
    ProviderNumber,
    ResourceGroup,
    Version,
)

READ_WHOLE = ("DeploymentSubmitted", "DeploymentUpdated", "OrderCreated", "OrderRecreated")
"""Events whose data is of use; what others are about stands in their topics."""
ABOUT_ORDERS = ("order", "lease", "replaced")

Key = TypeVar("Key")
Value = TypeVar("Value")
Undo = Callable[[], None]
NOBODY = DeploymentId(b"")


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    id: DeploymentId
    tenant: Address
    versions: tuple[Version, ...]
    """All that were submitted, the newest last."""
    update_number: int

    @property
    def version(self) -> Version:
        return self.versions[-1]


@dataclass(frozen=True, slots=True)
class OrderFacts:
    id: OrderId
    key: OrderKey
    group: Group
    created_block: int
    replaced: OrderId | None
    """The stale lease that this order was re-created for."""


@dataclass(slots=True)
class MarketFacts:
    """All that the logs up to one block tell. What a block has told can be taken back."""

    parameters: Parameters
    keeps_history: bool = True
    """Whether all events are kept; a daemon has no use for them, and they never end."""
    deployments: dict[DeploymentId, DeploymentFacts] = field(default_factory=dict)
    orders: dict[OrderId, OrderFacts] = field(default_factory=dict)
    orders_of: dict[DeploymentId, frozenset[OrderId]] = field(default_factory=dict)
    bidders: dict[OrderId, frozenset[ProviderNumber]] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    _undo: list[Undo] = field(default_factory=list)

    def apply(self, happenings: Iterable[Happening]) -> Touched:
        """Take events in, and return what they are about; they must come in the order of the chain.

        Raises:
            KeyError: one is about something unknown, so that another event was withheld.
        """
        named: set[OrderId] = set()
        owners: set[DeploymentId] = set()
        bids: dict[OrderId, set[ProviderNumber]] = {}
        for happening in happenings:
            arguments = happening.arguments
            if happening.name == "FulfillmentSubmitted":  # there are more of them than of all others
                bids.setdefault(arguments["order"], set()).add(arguments["provider"])
            else:
                self._apply(happening)
                named.update([arguments[name] for name in ABOUT_ORDERS if name in arguments])
                owners.add(arguments.get("deployment", NOBODY))
            if self.keeps_history:
                self.happenings.append(happening)
                self._undo.append(lambda: _drop_last(self.happenings))
        for order, providers in bids.items():
            self._set(self.bidders, order, self.bidders.get(order, frozenset()) | providers)
        return self._touched(named | bids.keys(), owners)

    def _touched(self, named: set[OrderId], owners: set[DeploymentId]) -> Touched:
        """Return what is known of that, with what hangs on it: the deployment counts its live groups."""
        orders = [self.orders[each] for each in named if each in self.orders]
        deployments = {each for each in owners if each in self.deployments}
        deployments.update([order.key.deployment for order in orders])
        return Touched(frozenset([order.id for order in orders]), frozenset(deployments))

    def _apply(self, happening: Happening) -> None:
        arguments = happening.arguments
        match happening.name:
            case "DeploymentSubmitted":
                deployment = DeploymentId(arguments["deployment"])
                tenant = Address(to_checksum_address(arguments["tenant"]))
                facts = DeploymentFacts(deployment, tenant, (Version(arguments["version"]),), 1)
                self._set(self.deployments, deployment, facts)
            case "DeploymentUpdated":
                facts = self.deployments[DeploymentId(arguments["deployment"])]
                versions = (*facts.versions, Version(arguments["version"]))
                updated = replace(facts, versions=versions, update_number=arguments["update_number"])
                self._set(self.deployments, facts.id, updated)
            case "OrderCreated":
                self._add_order(happening, _group(arguments["group"]))
            case "OrderRecreated":
                self._renew_order(happening)
            case _:
                pass

    def take_undo(self) -> tuple[Undo, ...]:
        """Return what takes back all that was applied since the last time, the newest first."""
        undo = tuple(reversed(self._undo))
        self._undo.clear()
        return undo

    def forget_order(self, order: OrderId) -> None:
        """Drop an order that has ended for good: nothing that is told of it matters any more."""
        facts = self.orders.pop(order, None)
        self.bidders.pop(order, None)
        if facts is not None and facts.key.deployment in self.orders_of:
            self.orders_of[facts.key.deployment] -= {order}

    def forget_deployment(self, deployment: DeploymentId) -> None:
        """Drop a deployment that has ended for good."""
        self.deployments.pop(deployment, None)
        self.orders_of.pop(deployment, None)

    def _add_order(self, happening: Happening, group: Group) -> None:
        arguments = happening.arguments
        nonce = terms.nonce_of(arguments["nonce"])
        deployment = self.deployments[DeploymentId(arguments["deployment"])].id
        key = terms.order_key(deployment, nonce, arguments["wait_duration"], group, self.parameters)
        order = OrderId(arguments["order"])
        self._add(OrderFacts(order, key, group, happening.block_number, None))

    def _renew_order(self, happening: Happening) -> None:
        order, replaced = OrderId(happening.arguments["order"]), OrderId(happening.arguments["replaced"])
        old = self.orders[replaced]
        key = replace(old.key, nonce=bytes(replaced))
        self._add(OrderFacts(order, key, old.group, happening.block_number, replaced))

    def _add(self, order: OrderFacts) -> None:
        deployment = order.key.deployment
        self._set(self.orders, order.id, order)
        self._set(self.orders_of, deployment, self.orders_of.get(deployment, frozenset()) | {order.id})

    def _set(self, mapping: dict[Key, Value], key: Key, value: Value) -> None:
        if key in mapping:
            old = mapping[key]
            self._undo.append(lambda: mapping.update({key: old}))
        else:
            self._undo.append(lambda: _drop(mapping, key))
        mapping[key] = value


def _drop(mapping: dict[Key, Value], key: Key) -> None:
    mapping.pop(key, None)


def _drop_last(items: list[Value]) -> None:
    items.pop()


def _group(row: Any) -> Group:
    name, regions, persist, resources = row
    return Group(
        name=terms.decoded_name(name),
        regions=regions,
        persist=persist,
        resources=tuple(
            ResourceGroup(ComputeUnit(milli_cpu, memory, disk), price, collateral, count)
            for milli_cpu, memory, disk, price, collateral, count in resources
        ),
    )

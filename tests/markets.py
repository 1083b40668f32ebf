"""Builders of snapshots: a market with sensible values, of which a test names only those that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from moorage import terms
from moorage.regions import mask_of
from moorage.snapshot import Block, Snapshot
from moorage.types import (
    Account,
    Address,
    ComputeUnit,
    Deployment,
    DeploymentId,
    DeploymentState,
    Fulfillment,
    Group,
    Lease,
    Order,
    OrderId,
    OrderState,
    Parameters,
    Provider,
    ProviderNumber,
    ResourceGroup,
    Version,
)
from provider_agent.core.admission import Admission, Means
from provider_agent.core.bidding import Declined, SubmitFulfillment, decide_bids
from provider_agent.core.capacity import locked, minus, reserved
from provider_agent.core.pricing import PricePolicy

PARAMETERS = Parameters(
    reconfirmation_period_blocks=100,
    collateral_interest_rate=0,
    facilitator_tip=100,
    closing_grace_blocks=50,
    max_fulfillments=32,
    token_decimals=18,
)
TENANT = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
US = ProviderNumber(7)
OTHERS = ProviderNumber(8)
DEPLOYMENT = DeploymentId(b"\xde" * 32)
UNIT = ComputeUnit(milli_cpu=1_000, memory_bytes=2**30, disk_bytes=10**9)


def make_group(
    *, name: str = "dock", region: str = "local", price: int = 40, collateral: int = 500, count: int = 1
) -> Group:
    return Group(name, mask_of(region), True, (ResourceGroup(UNIT, price, collateral, count),))


def make_order(
    number: int = 0,
    *,
    group: Group | None = None,
    created_block: int = 900,
    match_block: int = 950,
    bid_count: int = 0,
    excluded_provider: ProviderNumber | None = None,
    deployment: DeploymentId = DEPLOYMENT,
) -> Order:
    group = group or make_group()
    key = terms.order_key(deployment, terms.nonce_of(number), match_block - created_block, group, PARAMETERS)
    return Order(
        id=terms.order_id(key),
        key=key,
        group=group,
        created_block=created_block,
        match_block=match_block,
        max_charge_per_block=terms.max_charge(group, PARAMETERS),
        collateral=terms.collateral(group),
        excluded_provider=excluded_provider,
        state=OrderState.OPEN,
        deposit=10_000,
        bid_count=bid_count,
    )


def make_lease(
    order: Order,
    *,
    provider: ProviderNumber = US,
    state: OrderState = OrderState.LEASE_ACTIVE,
    charge: int = 40,
    is_awaiting: bool = False,
    claimed_block: int = 900,
    confirmed_block: int = 950,
    funded_block: int = 1_500,
) -> Lease:
    return Lease(order.id, provider, state, charge, is_awaiting, claimed_block, confirmed_block, funded_block)


def make_deployment(
    *, deployment: DeploymentId = DEPLOYMENT, state: DeploymentState = DeploymentState.ACTIVE, live_groups: int = 1
) -> Deployment:
    return Deployment(deployment, TENANT, state, live_groups, 50, 1, Version(b"\x01" * 32))


def make_provider(*, region: str = "local", collateral_cap: int = 10_000) -> Provider:
    return Provider(US, TENANT, TENANT, mask_of(region), collateral_cap, "https://127.0.0.1:8443")


def make_account(*, available: int = 5_000, committed: int = 0) -> Account:
    return Account(available, committed)


def make_bid(order: OrderId, *, collateral: int = 500) -> Fulfillment:
    return Fulfillment(order, US, 40, collateral)


def make_snapshot(
    block: int = 1_000,
    *,
    orders: Iterable[Order] = (),
    leases: Iterable[tuple[Order, Lease]] = (),
    deployments: Iterable[Deployment] | None = None,
    fulfillments: Iterable[Fulfillment] = (),
    unclaimed: Iterable[OrderId] = (),
) -> Snapshot:
    """Return a snapshot; each lease comes with the order that it was."""
    pairs = tuple(leases)
    lived = (make_deployment(),) if deployments is None else tuple(deployments)
    return Snapshot(
        block=Block(block, block.to_bytes(32, "big"), 1_700_000_000 + block),
        parameters=PARAMETERS,
        deployments={deployment.id: deployment for deployment in lived},
        orders={order.id: order for order in orders},
        leases={lease.id: lease for _, lease in pairs},
        leased_orders={order.id: replace(order, deposit=0, bid_count=0) for order, _ in pairs},
        fulfillments={bid.order: bid for bid in fulfillments},
        unclaimed=tuple(unclaimed),
    )


def look_at_everything(
    snapshot: Snapshot,
    provider: Provider,
    account: Account,
    capacity: ComputeUnit,
    prices: PricePolicy,
    admission: Admission,
) -> tuple[SubmitFulfillment | Declined, ...]:
    """Return what a provider decides that looks at all open orders, and adds up all that it holds."""
    means = Means(provider, minus(capacity, reserved(snapshot, provider.number)), account, locked(snapshot))
    orders = [order for order in snapshot.orders.values() if order.id not in snapshot.fulfillments]
    return decide_bids(snapshot, orders, means, prices, admission)

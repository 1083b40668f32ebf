"""Deployments as a tenant sees them: each argument that matters is given, the rest is plain."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from cli.core.view import Attempt, DeploymentView, Event
from moorage import terms
from moorage.money import Money
from moorage.types import (
    Address,
    ComputeUnit,
    DeploymentId,
    DeploymentState,
    Fulfillment,
    Group,
    Lease,
    OrderId,
    OrderKey,
    OrderState,
    Parameters,
    ProviderNumber,
    ResourceGroup,
    Version,
)

TENANT = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
FACILITATOR = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
DEPLOYMENT = DeploymentId(b"\xde" * 32)
VERSION = Version(b"\x01" * 32)
OTHER_VERSION = Version(b"\x02" * 32)
ONE = 10**18
TIP = 100
PERIOD = 10
GRACE = 20
PARAMETERS = Parameters(
    reconfirmation_period_blocks=PERIOD,
    collateral_interest_rate=0,
    facilitator_tip=TIP,
    closing_grace_blocks=GRACE,
    max_fulfillments=32,
    token_decimals=18,
)
MONEY = Money("MOOR", 18, Fraction(1))
HOURLY = ONE // 3_600
"""A charge per block that is about a token per hour with blocks of a second."""


def group(name: str = "west", price: int = HOURLY, collateral: int = 24 * ONE, count: int = 1) -> Group:
    compute = ComputeUnit(500, 2**28, 10**9)
    return Group(name, 1 << 14, True, (ResourceGroup(compute, price, collateral, count),))


def key(nonce: bytes | int = 0, *, name: str = "west") -> OrderKey:
    nonce = nonce if isinstance(nonce, bytes) else terms.nonce_of(nonce)
    return terms.order_key(DEPLOYMENT, nonce, 6, group(name), PARAMETERS)


ORDER = terms.order_id(key())
RENEWED = terms.order_id(key(ORDER))


def lease(order: OrderId = ORDER, state: OrderState = OrderState.LEASE_ACTIVE, **changes: Any) -> Lease:
    fields: dict[str, Any] = {
        "provider": ProviderNumber(1),
        "charge_per_block": HOURLY,
        "is_awaiting": False,
        "claimed_block": 100,
        "confirmed_block": 100,
        "funded_block": 3_700,
    }
    return Lease(id=order, state=state, **{**fields, **changes})


def attempt(state: OrderState = OrderState.LEASE_ACTIVE, nonce: bytes | int = 0, **changes: Any) -> Attempt:
    """Return an attempt; unless it is open or closed as an order it has a plain lease in the same state."""
    name = changes.pop("name", "west")
    order_key = key(nonce, name=name)
    is_order = state in (OrderState.OPEN, OrderState.CLOSED)
    fields: dict[str, Any] = {
        "id": terms.order_id(order_key),
        "key": order_key,
        "group": group(name),
        "created_block": 90,
        "replaced": None,
        "match_block": 96 if state is OrderState.OPEN else 0,
        "deposit": 5_000 if state is OrderState.OPEN else 0,
        "bids": (),
        "lease": None if is_order else lease(terms.order_id(order_key), state),
    }
    return Attempt(state=state, **{**fields, **changes})


def bid(provider: int, charge: int = HOURLY) -> Fulfillment:
    return Fulfillment(ORDER, ProviderNumber(provider), charge, 24 * ONE)


def view(*attempts: Attempt, block: int = 100, story: tuple[Event, ...] = (), **changes: Any) -> DeploymentView:
    fields: dict[str, Any] = {
        "id": DEPLOYMENT,
        "tenant": TENANT,
        "state": DeploymentState.ACTIVE,
        "version": VERSION,
        "live_groups": sum(each.is_live for each in attempts),
        "period_blocks": PERIOD,
        "grace_blocks": GRACE,
        "tip": TIP,
    }
    return DeploymentView(block_number=block, attempts=attempts, story=story, **{**fields, **changes})


def event(block: int, name: str, **arguments: Any) -> Event:
    return Event(block, name, arguments)

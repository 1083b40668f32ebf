"""The vocabulary of the exchange as plain values: ids, terms, and the state of each entity at one block.

Money is an integer of ledger units (token base units x 10^(18 - decimals)); heights end in `_block`, spans in
`_blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import NewType

Address = NewType("Address", str)
"""An EIP-55 checksummed account address."""
DeploymentId = NewType("DeploymentId", bytes)
"""32 bytes: keccak256(chain id, exchange, tenant, salt)."""
OrderId = NewType("OrderId", bytes)
"""32 bytes: keccak256 of the four words of an OrderKey. A lease has the id of its order."""
ProviderNumber = NewType("ProviderNumber", int)
"""1 to 2^32 - 1, never reused."""
Version = NewType("Version", bytes)
"""32 bytes: sha256 of the canonical manifest."""

LEDGER_DECIMALS = 18
MAX_MONEY = 2**96 - 1
"""Ledger units that the exchange holds, in one place and in all."""
MAX_BLOCKS = 2**32 - 1
"""That an order waits, or that a lease is prepaid."""


class DeploymentState(StrEnum):
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class OrderState(StrEnum):
    """The states of an order and of the lease that it becomes; both live in one word on chain."""

    OPEN = "open"
    CLOSED = "closed"  # closed without ever being matched
    LEASE_ACTIVE = "lease-active"
    LEASE_STALE = "lease-stale"
    LEASE_CLOSING = "lease-closing"
    LEASE_CLOSED = "lease-closed"


@dataclass(frozen=True, slots=True)
class ComputeUnit:
    milli_cpu: int
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """`count` compute units of one size. In an order the price is the maximum, in a fulfillment the one offered."""

    compute: ComputeUnit
    price_per_block: int
    """Ledger units for one compute unit and one block."""
    collateral: int
    """Ledger units that the provider locks for one compute unit."""
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """A DeploymentInfrastructure: what goes to one datacenter. One order is made of it."""

    name: str
    """At most 31 ASCII characters."""
    regions: int
    """Bit mask of acceptable regions, see moorage.regions."""
    persist: bool
    """Whether a stale lease is replaced by a new order."""
    resources: tuple[ResourceGroup, ...]
    """1 to 8 entries."""


@dataclass(frozen=True, slots=True)
class OrderKey:
    """What a caller hands back to name an order and prove its terms: the preimage of its id."""

    deployment: DeploymentId
    nonce: bytes
    """32 bytes: a counter of the deployment, or the id of the stale lease that this order replaces."""
    terms: int
    """Packed: maximum charge, collateral, wait duration, regions, persist. See moorage.terms."""
    resources_hash: bytes
    """32 bytes: keccak256 of the group's name and resources."""


@dataclass(frozen=True, slots=True)
class Deployment:
    id: DeploymentId
    tenant: Address
    state: DeploymentState
    live_groups: int
    wait_duration_blocks: int
    update_number: int
    """Counts the versions; the newest DeploymentUpdated event must carry the same number."""
    version: Version


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its terms, and while it is open its place in the book."""

    id: OrderId
    key: OrderKey
    group: Group
    created_block: int
    match_block: int
    """The first block in which it may be matched."""
    max_charge_per_block: int
    """Sum of price x count plus the interest on the collateral, at the maximum price."""
    collateral: int
    """What a bidder locks in total."""
    excluded_provider: ProviderNumber | None
    """The provider that let the replaced lease go stale."""
    state: OrderState
    deposit: int
    """Ledger units held while it is open, tips included; 0 otherwise."""
    bid_count: int
    """Live fulfillments; 0 unless it is open."""


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """A live bid: its collateral is locked."""

    order: OrderId
    provider: ProviderNumber
    charge_per_block: int
    collateral: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A running, closing or ended lease. For ended ones only id, state and provider are kept."""

    id: OrderId
    provider: ProviderNumber
    state: OrderState
    charge_per_block: int
    is_awaiting: bool
    """True until the first confirmation after the match or after a revival; nothing is charged meanwhile."""
    claimed_block: int
    confirmed_block: int
    funded_block: int
    remainder: int = 0
    """Ledger units that are prepaid and less than one charge: they come back at the end."""
    unclaimed: int = 0
    """Ledger units that a stale lease still holds for its provider."""

    def deadline_block(self, period_blocks: int) -> int:
        """Return the last block in which a confirmation is valid."""
        return self.confirmed_block + period_blocks

    def is_stale(self, block: int, period_blocks: int) -> bool:
        """Return whether anyone may end the lease as stale at `block`."""
        deadline = self.deadline_block(period_blocks)
        return (
            self.state is OrderState.LEASE_ACTIVE
            and block > deadline
            and (self.is_awaiting or deadline < self.funded_block)
        )

    def is_exhausted(self, block: int, period_blocks: int) -> bool:
        """Return whether the prepaid blocks are used up and the provider may pause the workloads."""
        return (
            self.state is OrderState.LEASE_ACTIVE
            and not self.is_awaiting
            and block >= self.funded_block
            and not self.is_stale(block, period_blocks)
        )

    @property
    def earned(self) -> int:
        """Ledger units confirmed and not yet claimed, of an active or closing lease."""
        return self.charge_per_block * (self.confirmed_block - self.claimed_block)


@dataclass(frozen=True, slots=True)
class Account:
    available: int
    committed: int
    """Collateral of live fulfillments and leases, and all that was ever slashed; 0 for a tenant."""


class Permission(IntFlag):
    """What a manager may do; the bits are those of the exchange."""

    UPDATE = 1
    FUND = 2
    SCALE = 4


@dataclass(frozen=True, slots=True)
class Manager:
    """What another key may do for a deployment."""

    permissions: Permission
    expires_block: int
    """The last block in which it may act."""
    spendable: int
    """Ledger units of the tenant's account that are left to it."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A registered datacenter."""

    number: ProviderNumber
    owner: Address
    operator: Address
    region: int
    """One bit of moorage.regions; 0 once deregistered."""
    collateral_cap: int
    endpoint: str
    """https://host:port of the agent."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The immutables of one exchange, see docs/protocol.md."""

    reconfirmation_period_blocks: int
    collateral_interest_rate: int
    """Per block, in 1e-18."""
    facilitator_tip: int
    closing_grace_blocks: int
    max_fulfillments: int
    token_decimals: int

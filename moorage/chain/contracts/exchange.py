"""Exchange.vy: what it stores of accounts, deployments, orders and leases, and the calls that change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from moorage import terms
from moorage.chain.contracts.contract import Call, Contract, short
from moorage.chain.market import Market
from moorage.chain.rpc import Rpc
from moorage.snapshot import Block
from moorage.types import (
    Account,
    Address,
    DeploymentId,
    DeploymentState,
    Group,
    Lease,
    Manager,
    OrderId,
    OrderKey,
    OrderState,
    Permission,
    ProviderNumber,
    Version,
)

DEPLOYMENT_STATES = (None, DeploymentState.ACTIVE, DeploymentState.CLOSING, DeploymentState.CLOSED)
ORDER_STATES = (
    None,
    OrderState.OPEN,
    OrderState.CLOSED,
    OrderState.LEASE_ACTIVE,
    OrderState.LEASE_STALE,
    OrderState.LEASE_CLOSING,
    OrderState.LEASE_CLOSED,
)


@dataclass(frozen=True, slots=True)
class OrderWord:
    """What the exchange stores of an open order."""

    state: OrderState
    deposit: int
    match_block: int
    bid_count: int
    excluded_provider: ProviderNumber | None


@dataclass(frozen=True, slots=True)
class DeploymentWord:
    """What the exchange stores of a deployment."""

    tenant: Address
    state: DeploymentState
    live_groups: int
    order_count: int
    update_number: int
    wait_duration_blocks: int


@dataclass(frozen=True, slots=True)
class Bid:
    provider: ProviderNumber
    charge_per_block: int
    collateral: int


@dataclass(frozen=True, slots=True)
class Permit:
    """A signed allowance of the settlement token (EIP-2612), see moorage.chain.permit."""

    deadline_seconds: int
    """Chain time after which it is void."""
    v: int
    r: bytes
    s: bytes


def provider_account(provider: ProviderNumber) -> Address:
    """Return the account of a provider: its number taken as an address."""
    return Address(to_checksum_address(provider.to_bytes(20, "big")))


class Exchange(Contract):
    """Exchange.vy; see docs/protocol.md."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        super().__init__(rpc, market.exchange, "Exchange")

    async def accounts(self, block: Block | None, addresses: Sequence[Address]) -> list[Account]:
        """Return what accounts hold, in ledger units."""
        return [Account(*row) for row in await self.read_many(block, "account", [[each] for each in addresses])]

    async def deployments(
        self, block: Block | None, deployments: Sequence[DeploymentId]
    ) -> list[DeploymentWord | None]:
        """Return deployments; None is one that the exchange does not know at this block."""
        rows = await self.read_many(block, "deployment", [[each] for each in deployments])
        return [_deployment_word(row) for row in rows]

    async def orders(self, block: Block | None, orders: Sequence[OrderId]) -> list[OrderWord | None]:
        """Return orders, from their match on only the state; None is one that the exchange does not know."""
        return [_order_word(row) for row in await self.read_many(block, "order", [[each] for each in orders])]

    async def leases(self, block: Block | None, leases: Sequence[OrderId]) -> list[Lease | None]:
        """Return leases; None is an order that was not matched at this block."""
        rows = await self.read_many(block, "lease", [[each] for each in leases])
        return [_lease(lease, row) for lease, row in zip(leases, rows, strict=True)]

    async def bids(self, block: Block | None, order: OrderId) -> list[Bid]:
        """Return the book of an open order, the winner first."""
        rows = await self.read(block, "bids", order)
        return [Bid(ProviderNumber(provider), charge, collateral) for provider, charge, collateral in rows]

    async def locked_bids(
        self, block: Block | None, provider: ProviderNumber, orders: Sequence[OrderId]
    ) -> list[Bid | None]:
        """Return the provider's bid on each order as long as its collateral is locked."""
        rows = await self.read_many(block, "fulfillment", [[order, provider] for order in orders])
        return [Bid(ProviderNumber(row[0]), row[1], row[2]) if row[0] else None for row in rows]

    async def is_locked(self, block: Block | None, bids: Sequence[tuple[OrderId, ProviderNumber]]) -> list[bool]:
        """Return of each bid whether its collateral is locked."""
        return [row[0] != 0 for row in await self.read_many(block, "fulfillment", bids)]

    async def managers(
        self, block: Block | None, deployment: DeploymentId, addresses: Sequence[Address]
    ) -> list[Manager | None]:
        """Return what keys may do for a deployment; None is one that is no manager of it."""
        rows = await self.read_many(block, "manager", [[deployment, each] for each in addresses])
        return [Manager(Permission(row[0]), row[1], row[2]) if row[0] else None for row in rows]

    def deposit(self, account: Address, amount_base_units: int) -> Call:
        return self.call("deposit", account, amount_base_units)

    def deposit_with_permit(self, account: Address, amount_base_units: int, permit: Permit) -> Call:
        signature = (permit.v, permit.r, permit.s)
        return self.call("deposit_with_permit", account, amount_base_units, permit.deadline_seconds, *signature)

    def withdraw(self, account: Address, amount_base_units: int) -> Call:
        return self.call("withdraw", account, amount_base_units)

    def withdraw_to(self, account: Address, amount_base_units: int, recipient: Address) -> Call:
        return self.call("withdraw_to", account, amount_base_units, recipient)

    def set_manager(self, deployment: DeploymentId, manager: Address, granted: Manager | None) -> Call:
        """Return what gives a key rights in place of those that it had; None takes them all."""
        limits = (granted.permissions, granted.expires_block, granted.spendable) if granted else (0, 0, 0)
        return self.call("set_manager", deployment, manager, *limits, about=short(deployment))

    def fund(self, key: OrderKey, blocks: int) -> Call:
        return self.call("fund", terms.key_tuple(key), blocks, about=short(terms.order_id(key)))

    def submit_deployment(
        self, salt: bytes, version: Version, wait_duration_blocks: int, groups: Sequence[Group], deposits: Sequence[int]
    ) -> Call:
        tuples = [terms.group_tuple(group) for group in groups]
        return self.call("submit_deployment", salt, version, wait_duration_blocks, tuples, list(deposits))

    def update_deployment(
        self,
        deployment: DeploymentId,
        version: Version | None,
        groups: Sequence[Group],
        deposits: Sequence[int],
        removed: Sequence[OrderKey],
    ) -> Call:
        tuples = [terms.group_tuple(group) for group in groups]
        content = version or bytes(32), tuples, list(deposits), _keys(removed)
        return self.call("update_deployment", deployment, *content, about=short(deployment))

    def close_deployment(self, deployment: DeploymentId, orders: Sequence[OrderKey]) -> Call:
        return self.call("close_deployment", deployment, _keys(orders), about=short(deployment))

    def submit_fulfillment(
        self,
        provider: ProviderNumber,
        key: OrderKey,
        group: Group,
        prices: Sequence[int],
        hint: int = 0,
    ) -> Call:
        return self.call(
            "submit_fulfillment",
            provider,
            key.deployment,
            key.nonce,
            terms.wait_duration_blocks(key),
            terms.group_tuple(group),
            list(prices),
            hint,
            about=short(terms.order_id(key)),
        )

    def release_fulfillments(self, order: OrderId, providers: Sequence[ProviderNumber]) -> Call:
        return self.call("release_fulfillments", order, list(providers), about=short(order))

    def submit_lease(self, orders: Sequence[OrderKey]) -> Call:
        return self.call("submit_lease", _keys(orders), about=_shorts(orders))

    def submit_lease_confirmation(self, provider: ProviderNumber, leases: Sequence[OrderId]) -> Call:
        about = " ".join(short(lease) for lease in leases)
        return self.call("submit_lease_confirmation", provider, list(leases), about=about)

    def submit_stale_lease(self, leases: Sequence[OrderKey]) -> Call:
        return self.call("submit_stale_lease", _keys(leases), about=_shorts(leases))

    def confirm_closed(self, provider: ProviderNumber, leases: Sequence[OrderKey]) -> Call:
        return self.call("confirm_closed", provider, _keys(leases), about=_shorts(leases))

    def finish_leases(self, leases: Sequence[OrderKey]) -> Call:
        return self.call("finish_leases", _keys(leases), about=_shorts(leases))

    def deployment_closed(self, deployments: Sequence[DeploymentId]) -> Call:
        about = " ".join(short(deployment) for deployment in deployments)
        return self.call("deployment_closed", list(deployments), about=about)

    def claim(self, leases: Sequence[OrderId]) -> Call:
        return self.call("claim", list(leases), about=" ".join(short(lease) for lease in leases))


def _deployment_word(row: Sequence[Any]) -> DeploymentWord | None:
    tenant, state, *rest = row
    known = DEPLOYMENT_STATES[state]
    return None if known is None else DeploymentWord(Address(to_checksum_address(tenant)), known, *rest)


def _order_word(row: Sequence[Any]) -> OrderWord | None:
    state, deposit, match_block, bid_count, excluded = row
    known = ORDER_STATES[state]
    if known is None:
        return None
    return OrderWord(known, deposit, match_block, bid_count, ProviderNumber(excluded) if excluded else None)


def _lease(lease: OrderId, row: Sequence[Any]) -> Lease | None:
    state, provider, charge, remainder, is_awaiting, claimed, confirmed, funded, earned, *_ = row
    known = ORDER_STATES[state]
    if known is None or known in (OrderState.OPEN, OrderState.CLOSED):
        return None
    unclaimed = earned if known is OrderState.LEASE_STALE else 0
    heights = claimed, confirmed, funded
    return Lease(lease, ProviderNumber(provider), known, charge, is_awaiting, *heights, remainder, unclaimed)


def _keys(keys: Sequence[OrderKey]) -> list[tuple[bytes, bytes, int, bytes]]:
    return [terms.key_tuple(key) for key in keys]


def _shorts(keys: Sequence[OrderKey]) -> str:
    return " ".join(short(terms.order_id(key)) for key in keys)

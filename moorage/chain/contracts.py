"""The three contracts of a market: typed reads at one block, and the calls that change them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from moorage import terms
from moorage.advertisement import Advertisement
from moorage.chain import abi
from moorage.chain.logs import RANGE_BLOCKS, EventLog, Happening
from moorage.chain.market import Market
from moorage.chain.pinned import read_pinned
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_bytes
from moorage.snapshot import Block
from moorage.types import (
    Account,
    Address,
    ComputeUnit,
    DeploymentId,
    DeploymentState,
    Group,
    Lease,
    Manager,
    OrderId,
    OrderKey,
    OrderState,
    Permission,
    Provider,
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
class Call:
    """A transaction to be sent."""

    to: Address
    data: bytes
    description: str
    """For people and logs, such as `submit_lease 0xab12..`."""


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


def at(block: Block | None) -> Any:
    """Return the JSON-RPC block parameter: this block exactly (EIP-1898), or the newest."""
    return "latest" if block is None else {"blockHash": f"0x{block.hash.hex()}", "requireCanonical": True}


def provider_account(provider: ProviderNumber) -> Address:
    """Return the account of a provider: its number taken as an address."""
    return Address(to_checksum_address(provider.to_bytes(20, "big")))


class Contract:
    """Reads of one contract; results of a batch come from the same block."""

    def __init__(self, rpc: Rpc, address: Address, name: str) -> None:
        self._rpc = rpc
        self.address = address
        self._abi = abi.load(name)

    async def read(self, block: Block | None, function: str, *arguments: Any) -> Any:
        """Return what a view returns."""
        return (await self.read_many(block, function, [arguments]))[0]

    async def read_many(self, block: Block | None, function: str, arguments: Sequence[Sequence[Any]]) -> list[Any]:
        """Return what a view returns for each of several argument lists.

        Raises:
            NodeUnavailable: no usable answer; a block that the node does not know counts as that.
        """
        calls = []
        for each in arguments:
            data = f"0x{self._abi.encode(function, *each).hex()}"
            calls.append(("eth_call", ({"to": self.address, "data": data}, at(block))))
        try:
            results = await (self._rpc.batch(calls) if block is None else read_pinned(self._rpc, calls))
            return [self._abi.decode(function, as_bytes(result)) for result in results]
        except (NodeRefused, DecodingError) as error:
            raise NodeUnavailable(f"{function} could not be read at this block: {error}") from error

    def through(self, rpc: Rpc) -> Self:
        """Return the same contract as it is read at another node."""
        other = copy(self)
        other._rpc = rpc
        return other

    def call(self, function: str, *arguments: Any, about: str = "") -> Call:
        """Return a transaction to this contract."""
        return Call(self.address, self._abi.encode(function, *arguments), f"{function} {about}".strip())


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
        return self.call("set_manager", deployment, manager, *limits, about=_short(deployment))

    def fund(self, key: OrderKey, blocks: int) -> Call:
        return self.call("fund", terms.key_tuple(key), blocks, about=_short(terms.order_id(key)))

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
        return self.call("update_deployment", deployment, *content, about=_short(deployment))

    def close_deployment(self, deployment: DeploymentId, orders: Sequence[OrderKey]) -> Call:
        return self.call("close_deployment", deployment, _keys(orders), about=_short(deployment))

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
            about=_short(terms.order_id(key)),
        )

    def release_fulfillments(self, order: OrderId, providers: Sequence[ProviderNumber]) -> Call:
        return self.call("release_fulfillments", order, list(providers), about=_short(order))

    def submit_lease(self, orders: Sequence[OrderKey]) -> Call:
        return self.call("submit_lease", _keys(orders), about=_shorts(orders))

    def submit_lease_confirmation(self, provider: ProviderNumber, leases: Sequence[OrderId]) -> Call:
        about = " ".join(_short(lease) for lease in leases)
        return self.call("submit_lease_confirmation", provider, list(leases), about=about)

    def submit_stale_lease(self, leases: Sequence[OrderKey]) -> Call:
        return self.call("submit_stale_lease", _keys(leases), about=_shorts(leases))

    def confirm_closed(self, provider: ProviderNumber, leases: Sequence[OrderKey]) -> Call:
        return self.call("confirm_closed", provider, _keys(leases), about=_shorts(leases))

    def finish_leases(self, leases: Sequence[OrderKey]) -> Call:
        return self.call("finish_leases", _keys(leases), about=_shorts(leases))

    def deployment_closed(self, deployments: Sequence[DeploymentId]) -> Call:
        about = " ".join(_short(deployment) for deployment in deployments)
        return self.call("deployment_closed", list(deployments), about=about)

    def claim(self, leases: Sequence[OrderId]) -> Call:
        return self.call("claim", list(leases), about=" ".join(_short(lease) for lease in leases))


class Registry(Contract):
    """ProviderRegistry.vy."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        super().__init__(rpc, market.registry, "ProviderRegistry")

    async def provider(self, block: Block | None, provider: ProviderNumber) -> Provider | None:
        """Return a provider with its endpoint, or None if the number is unknown at this block."""
        owner, operator, _, region, cap, updated_block = await self.read(block, "profile", provider)
        if int(owner, 16) == 0:
            return None
        updates = await self._events("ProviderUpdated", provider, updated_block)
        if not updates:
            raise NodeUnavailable(f"the node does not give the event of provider {provider} in block {updated_block}")
        return Provider(
            number=provider,
            owner=Address(to_checksum_address(owner)),
            operator=Address(to_checksum_address(operator)),
            region=region,
            collateral_cap=cap,
            endpoint=updates[-1]["endpoint"],
        )

    async def owner(self, provider: ProviderNumber) -> Address:
        """Return whose a provider is at the newest block; the zero address for an unknown number."""
        return Address(to_checksum_address(await self.read(None, "owner_of", provider)))

    async def fingerprints(self, providers: Iterable[ProviderNumber]) -> list[frozenset[bytes]]:
        """Return keccak256 of the root certificates of providers at the newest block, those to come included."""
        found = await self.read_many(None, "roots", [[provider] for provider in providers])
        return [frozenset(fingerprint for fingerprint, *_ in roots if any(fingerprint)) for roots in found]

    async def roots(self, block: Block, provider: ProviderNumber) -> tuple[bytes, ...]:
        """Return the DER of the provider's root certificates that count at this block (read it at a final one)."""
        certificates = []
        for fingerprint, added_block, active_block in await self.read(block, "roots", provider):
            if not any(fingerprint) or active_block > block.number:
                continue
            logs = await self._events("RootAdded", provider, added_block)
            certificates += [log["certificate"] for log in logs if log["fingerprint"] == fingerprint][-1:]
        return tuple(certificates)

    async def advertisement(self, provider: ProviderNumber, first: int, last: int) -> Advertisement | None:
        """Return what a provider has advertised last within some blocks, both included; read backwards.

        Raises:
            NodeUnavailable: the node does not give the events.
        """
        while first <= last:
            start = max(first, last - RANGE_BLOCKS + 1)
            found = await self._happenings("CapacityAdvertised", provider, start, last)
            if found:
                return _advertisement(found[-1])
            last = start - 1
        return None

    async def advertisements(self, first: int, last: int) -> dict[ProviderNumber, Advertisement]:
        """Return what each provider has advertised last within some blocks, both included.

        Raises:
            NodeUnavailable: the node does not give the events.
        """
        log = EventLog(self._rpc, self.address, self._abi)
        found = await log.between(first, last, log.topic("CapacityAdvertised"))
        return {ProviderNumber(each.arguments["provider"]): _advertisement(each) for each in found}

    async def bidders(self, block: Block, providers: Sequence[ProviderNumber]) -> list[tuple[int, int]]:
        """Return region (0: not registered any more) and collateral cap of providers."""
        rows = await self.read_many(block, "bidder", [[provider] for provider in providers])
        return [(region, cap) for _, region, cap in rows]

    async def count(self, block: Block) -> int:
        """Return the number of the newest provider."""
        return int(await self.read(block, "provider_count"))

    async def _events(self, event: str, provider: ProviderNumber, block_number: int) -> list[dict[str, Any]]:
        found = await self._happenings(event, provider, block_number, block_number)
        return [happening.arguments for happening in found]

    async def _happenings(self, event: str, provider: ProviderNumber, first: int, last: int) -> list[Happening]:
        log = EventLog(self._rpc, self.address, self._abi)
        return await log.between(first, last, log.topic(event), provider.to_bytes(32, "big"))

    def advertise(self, provider: ProviderNumber, free: ComputeUnit, price: int) -> Call:
        capacity = free.milli_cpu, free.memory_bytes, free.disk_bytes
        return self.call("advertise", provider, *capacity, price, about=str(provider))

    def register_provider(
        self, operator: Address, region: int, collateral_cap: int, endpoint: str, attributes: str, certificate: bytes
    ) -> Call:
        return self.call("register_provider", operator, region, collateral_cap, endpoint, attributes, certificate)

    def add_root(self, provider: ProviderNumber, certificate: bytes) -> Call:
        return self.call("add_root", provider, certificate, about=str(provider))

    def remove_root(self, provider: ProviderNumber, fingerprint: bytes) -> Call:
        return self.call("remove_root", provider, fingerprint, about=str(provider))


class Token(Contract):
    """The settlement token, any ERC-20."""

    def __init__(self, rpc: Rpc, market: Market) -> None:
        super().__init__(rpc, market.token, "ERC20")

    async def balance(self, block: Block | None, account: Address) -> int:
        """Return the base units of an account."""
        return int(await self.read(block, "balanceOf", account))

    async def allowance(self, block: Block | None, owner: Address, spender: Address) -> int:
        """Return the base units that the spender may take."""
        return int(await self.read(block, "allowance", owner, spender))

    def approve(self, spender: Address, amount_base_units: int) -> Call:
        return self.call("approve", spender, amount_base_units)

    def transfer(self, receiver: Address, amount_base_units: int) -> Call:
        return self.call("transfer", receiver, amount_base_units)


def _advertisement(happening: Happening) -> Advertisement:
    told = happening.arguments
    free = ComputeUnit(told["milli_cpu"], told["memory_bytes"], told["disk_bytes"])
    return Advertisement(happening.block_number, free, told["price"])


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


def _short(identifier: bytes) -> str:
    return f"0x{identifier.hex()[:12]}"


def _shorts(keys: Sequence[OrderKey]) -> str:
    return " ".join(_short(terms.order_id(key)) for key in keys)

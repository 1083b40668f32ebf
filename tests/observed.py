"""The state of an exchange as its events alone tell it.

A second implementation of the rules of money and time, written from the specification. It fails where an event lacks
what an observer needs, or contradicts another. Ids and addresses are hex in lower case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from tests.event_logs import as_bytes

UNKNOWN, OPEN, ORDER_CLOSED, ACTIVE, STALE, CLOSING, CLOSED = range(7)  # states of an order or lease
DEPLOYMENT_ACTIVE, DEPLOYMENT_CLOSING, DEPLOYMENT_CLOSED = 1, 2, 3
RESOURCES = "(uint256,uint256,uint256,uint256,uint256,uint256)[]"
ONE = 10**18

Event = tuple[str, int, dict[str, Any]]  # name, block, fields


@dataclass
class Deployment:
    tenant: str
    wait_blocks: int
    state: int = DEPLOYMENT_ACTIVE
    live_groups: int = 0
    order_count: int = 0
    update_number: int = 1

    def view(self) -> tuple[Any, ...]:
        if self.state == DEPLOYMENT_CLOSED:
            assert self.live_groups == 0
            return self.tenant, self.state, 0, 0, 0, 0
        counts = self.live_groups, self.order_count, self.update_number
        return self.tenant, self.state, *counts, self.wait_blocks


@dataclass(frozen=True)
class Key:
    """What names an order."""

    deployment: str
    nonce: str
    terms: int
    resources_hash: str

    @property
    def id(self) -> str:
        words = [as_bytes(self.deployment), as_bytes(self.nonce), self.terms, as_bytes(self.resources_hash)]
        return hash_of(["bytes32", "bytes32", "uint256", "bytes32"], words)


@dataclass
class Lease:
    """An order and the lease that it becomes."""

    key: Key
    collateral: int
    wait_blocks: int
    deposit: int
    match_block: int
    excluded: int = 0
    state: int = OPEN
    bids: dict[int, int] = field(default_factory=dict)  # provider -> charge, in the order of arrival
    provider: int = 0
    charge: int = 0
    remainder: int = 0
    unclaimed: int = 0  # of a stale one
    is_awaiting: bool = False
    claimed: int = 0
    confirmed: int = 0
    funded: int = 0

    @property
    def earned(self) -> int:
        return self.charge * (self.confirmed - self.claimed)

    @property
    def unearned(self) -> int:
        return self.charge * (self.funded - self.confirmed) + self.remainder

    def order_view(self) -> tuple[int, ...]:
        if self.state != OPEN:
            return self.state, 0, 0, 0, 0
        return OPEN, self.deposit, self.match_block, len(self.bids), self.excluded

    def book_view(self) -> list[tuple[int, ...]]:
        """Return the bids by charge, equals as they arrived; dicts and sorting keep that order."""
        book = sorted(self.bids.items(), key=lambda bid: bid[1]) if self.state == OPEN else []
        return [(provider, charge, self.collateral) for provider, charge in book]

    def bid_view(self, provider: int) -> tuple[int, int, int]:
        return (provider, self.bids[provider], self.collateral) if provider in self.bids else (0, 0, 0)

    def lease_view(self, block: int, period: int) -> tuple[Any, ...]:
        money, times = (self.charge, self.remainder), (self.claimed, self.confirmed, self.funded)
        if self.state != ACTIVE:
            return self.state, self.provider, *money, False, *times, self.earned or self.unclaimed, False, False
        deadline = self.confirmed + period
        is_stale = block > deadline and (self.is_awaiting or deadline < self.funded)
        is_exhausted = not self.is_awaiting and block >= self.funded and not is_stale
        return ACTIVE, self.provider, *money, self.is_awaiting, *times, self.earned, is_stale, is_exhausted

    def start_awaiting(self, block: int, blocks: int) -> None:
        self.is_awaiting = True
        self.claimed = self.confirmed = block
        self.funded = block + blocks

    def end(self, state: int) -> None:
        self.state = state
        self.charge = self.remainder = self.claimed = self.confirmed = self.funded = 0
        self.is_awaiting = False


NO_LEASE = Lease(Key("", "", 0, ""), 0, 0, 0, 0, state=UNKNOWN)


@dataclass(frozen=True)
class Rules:
    """What an observer has to know of a market besides its events."""

    chain_id: int
    exchange: str
    period: int
    interest_rate: int
    tip: int


class Observed:
    """The state of one exchange as its events tell it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tip = rules.tip
        self.available: dict[str, int] = defaultdict(int)
        self.locked: dict[str, int] = defaultdict(int)
        self.slashed: dict[str, int] = defaultdict(int)
        self.deployments: dict[str, Deployment] = {}
        self.managers: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.leases: dict[str, Lease] = {}

    def see(self, events: Iterable[Event]) -> None:
        for name, block, fields in events:
            getattr(self, f"_on_{name}")(block, **fields)

    # -------------------------------------------------------------------------------------------- answers

    def views(self, providers: Iterable[int]) -> list[tuple[Any, ...]]:
        """Return what to ask the exchange about all that its events have named: a view and its arguments."""
        providers = list(providers)
        calls: list[tuple[Any, ...]] = [("account", account) for account in sorted({*self.available, *self.locked})]
        calls += [("deployment", id) for id in self.deployments]
        calls += [("manager", *key) for key in self.managers]
        calls += [(view, id) for id in self.leases for view in ("order", "bids", "lease")]
        return calls + [("fulfillment", id, provider) for id in self.leases for provider in providers]

    def answer(self, block: int, view: str, id: str, *rest: Any) -> Any:
        """Return what a view has to say at a block; of what no event has named, zeros."""
        if view == "account":
            return self.available[id], self.locked[id] + self.slashed[id]
        if view == "deployment":
            return self.deployments.get(id, Deployment(account_of(0), 0, UNKNOWN, update_number=0)).view()
        if view == "manager":
            return self.managers.get((id, *rest), (0, 0, 0))
        lease = self.leases.get(id, NO_LEASE)
        if view == "order":
            return lease.order_view()
        if view == "bids":
            return lease.book_view()
        return lease.bid_view(*rest) if view == "fulfillment" else lease.lease_view(block, self.rules.period)

    def total(self) -> int:
        """Return all ledger units: accounts, and what orders, leases and deployments hold."""
        total = sum(self.available.values()) + sum(self.locked.values())
        total += sum(self.tip for each in self.deployments.values() if each.state != DEPLOYMENT_CLOSED)
        for lease in self.leases.values():
            if lease.state == OPEN:
                total += lease.deposit + self.tip
            elif lease.state in (ACTIVE, CLOSING):
                total += lease.earned + lease.unearned + self.tip
            total += lease.unclaimed
        return total

    # ------------------------------------------------------------------------------------ money in and out

    def _on_Deposited(self, block: int, account: str, payer: str, amount: int) -> None:
        self.available[account] += amount

    def _on_Withdrawn(self, block: int, account: str, recipient: str, amount: int) -> None:
        self.available[account] -= amount

    # ------------------------------------------------------------------------------------------ deployments

    def _on_DeploymentSubmitted(
        self, block: int, deployment: str, tenant: str, salt: str, version: str, wait_duration: int
    ) -> None:
        named = [self.rules.chain_id, self.rules.exchange, tenant, as_bytes(salt)]
        assert deployment == hash_of(["uint256", "address", "address", "bytes32"], named)
        self.deployments[deployment] = Deployment(tenant, wait_duration)
        self.available[tenant] -= self.tip

    def _on_DeploymentUpdated(self, block: int, deployment: str, version: str, update_number: int) -> None:
        self.deployments[deployment].update_number = update_number

    def _on_DeploymentClosing(self, block: int, deployment: str) -> None:
        self.deployments[deployment].state = DEPLOYMENT_CLOSING

    def _on_DeploymentClosed(self, block: int, deployment: str, facilitator: str) -> None:
        self.deployments[deployment].state = DEPLOYMENT_CLOSED
        self.available[facilitator] += self.tip

    def _on_ManagerSet(
        self, block: int, deployment: str, manager: str, permissions: int, expires_block: int, spend_cap: int
    ) -> None:
        self.managers[deployment, manager] = (permissions, expires_block, spend_cap) if permissions else (0, 0, 0)

    def _on_ManagerSpent(self, block: int, deployment: str, manager: str, amount: int) -> None:
        permissions, expires_block, spendable = self.managers[deployment, manager]
        self.managers[deployment, manager] = permissions, expires_block, spendable - amount

    # ----------------------------------------------------------------------------------------------- orders

    def _on_OrderCreated(
        self, block: int, order: str, deployment: str, nonce: int, deposit: int, wait_duration: int, group: list[Any]
    ) -> None:
        owner = self.deployments[deployment]
        assert (nonce, wait_duration) == (owner.order_count, owner.wait_blocks)
        name, regions, persist, resources = group
        collateral = sum(collateral * count for *_, collateral, count in resources)
        charge = sum(price * count for *_, price, _, count in resources) + collateral * self.rules.interest_rate // ONE
        terms = charge | collateral << 80 | wait_duration << 176 | regions << 208 | persist << 240
        resources_hash = hash_of(["bytes32", RESOURCES], [as_bytes(name), resources])
        key = Key(deployment, f"0x{nonce:064x}", terms, resources_hash)
        assert order == key.id
        self.leases[order] = Lease(key, collateral, wait_duration, deposit, block + wait_duration)
        self.available[owner.tenant] -= deposit + self.tip
        owner.live_groups += 1
        owner.order_count += 1

    def _on_OrderRecreated(
        self, block: int, order: str, deployment: str, replaced: str, deposit: int, excluded_provider: int
    ) -> None:
        old = self.leases[replaced]
        key = replace(old.key, nonce=replaced)
        assert (order, deployment, excluded_provider) == (key.id, key.deployment, old.provider)
        self.leases[order] = Lease(
            key, old.collateral, old.wait_blocks, deposit, block + old.wait_blocks, excluded_provider
        )
        self.deployments[deployment].live_groups += 1

    def _on_OrderFunded(self, block: int, order: str, payer: str, amount: int) -> None:
        self.available[payer] -= amount
        self.leases[order].deposit += amount

    def _on_OrderClosed(self, block: int, order: str, refund: int) -> None:
        lease = self.leases[order]
        assert refund == lease.deposit + self.tip
        self._pay_tenant(lease, refund)
        self._end_group(lease, ORDER_CLOSED)

    # ----------------------------------------------------------------------------------------- fulfillments

    def _on_FulfillmentSubmitted(self, block: int, order: str, provider: int, charge: int, prices: list[int]) -> None:
        lease = self.leases[order]
        lease.bids[provider] = charge
        self._lock(provider, lease.collateral)

    def _on_FulfillmentCancelled(self, block: int, order: str, provider: int) -> None:
        self._free(order, provider)

    _on_FulfillmentEvicted = _on_FulfillmentReleased = _on_FulfillmentCancelled

    def _lock(self, provider: int, amount: int) -> None:
        self.available[account_of(provider)] -= amount
        self.locked[account_of(provider)] += amount

    def _free(self, order: str, provider: int) -> None:
        del self.leases[order].bids[provider]
        self._lock(provider, -self.leases[order].collateral)

    # ----------------------------------------------------------------------------------------------- leases

    def _on_LeaseCreated(
        self, block: int, lease: str, provider: int, facilitator: str, charge: int, blocks: int, refund: int
    ) -> None:
        it = self.leases[lease]
        assert (provider, charge) == min(it.bids.items(), key=lambda bid: bid[1])
        it.state, it.provider, it.charge = ACTIVE, provider, charge
        it.remainder = it.deposit - self.tip - refund - blocks * charge
        assert 0 <= it.remainder < charge
        it.start_awaiting(block, blocks)
        self._pay_tenant(it, refund)
        self.available[facilitator] += self.tip

    def _on_LeaseConfirmed(self, block: int, lease: str) -> None:
        it = self.leases[lease]
        if it.is_awaiting:
            it.funded = block + it.funded - it.confirmed
            it.claimed = it.confirmed = block
            it.is_awaiting = False
        else:
            it.confirmed = min(block, it.funded)

    def _on_LeaseFunded(self, block: int, lease: str, payer: str, blocks: int) -> None:
        it = self.leases[lease]
        it.funded += blocks
        self.available[payer] -= blocks * it.charge

    def _on_LeaseRevived(self, block: int, lease: str, payer: str, blocks: int, earned: int) -> None:
        it = self.leases[lease]
        self.available[payer] -= blocks * it.charge
        self._pay_provider(it, earned)
        left = (it.earned + it.unearned - it.remainder - earned) // it.charge
        it.start_awaiting(block, left + blocks)

    def _on_LeaseClaimed(self, block: int, lease: str, amount: int) -> None:
        it = self.leases[lease]
        assert amount == (it.unclaimed if it.state == STALE else it.earned)
        it.claimed = it.confirmed
        it.unclaimed = 0
        self._pay_provider(it, amount)

    def _on_LeaseStale(
        self, block: int, lease: str, provider: int, facilitator: str, earned: int, slashed: int, refund: int
    ) -> None:
        it = self.leases[lease]
        assert (earned, slashed) == (it.earned, it.collateral - self.tip)
        self._free(lease, it.provider)
        self.available[account_of(provider)] -= it.collateral
        self.slashed[account_of(provider)] += it.collateral
        it.unclaimed = earned
        self._pay_tenant(it, refund)
        self.available[facilitator] += self.tip
        self._end_group(it, STALE)

    def _on_LeaseClosing(self, block: int, lease: str) -> None:
        it = self.leases[lease]
        earned = 0 if it.is_awaiting else min(block, it.funded) - it.claimed
        left = it.funded - it.claimed - earned
        it.claimed, it.confirmed, it.funded = block - earned, block, block + left
        it.is_awaiting = False
        it.state = CLOSING

    def _on_LeaseClosed(self, block: int, lease: str, provider: int, finisher: str, earned: int, refund: int) -> None:
        it = self.leases[lease]
        assert earned == it.earned
        assert refund in (it.unearned, it.unearned + self.tip)
        self._free(lease, provider)
        self._pay_provider(it, earned)
        self._pay_tenant(it, refund)
        # the tip of the finish goes back if the provider itself has confirmed
        self.available[finisher] += it.unearned + self.tip - refund
        self._end_group(it, CLOSED)

    def _pay_provider(self, lease: Lease, amount: int) -> None:
        self.available[account_of(lease.provider)] += amount

    def _pay_tenant(self, lease: Lease, amount: int) -> None:
        self.available[self.deployments[lease.key.deployment].tenant] += amount

    def _end_group(self, lease: Lease, state: int) -> None:
        lease.end(state)
        self.deployments[lease.key.deployment].live_groups -= 1


def account_of(provider: int) -> str:
    """Return the account of a provider: its number as an address."""
    return f"0x{provider:040x}"


def hash_of(types: Sequence[str], values: Sequence[Any]) -> str:
    return "0x" + keccak(encode(types, values)).hex()

"""Rebuilds all state of an exchange from its events alone, and compares it with what the views answer.

A second implementation of the rules of money and time, written from the specification. `check` fails if an event lacks
something that an observer needs, if a view disagrees, or if one unit is missing or too many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import brownie
from eth_abi import decode
from eth_utils import is_address, to_checksum_address
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic

from tests.contracts.client import views
from tests.contracts.market import (
    ACTIVE,
    CLOSED,
    CLOSING,
    DEPLOYMENT_ACTIVE,
    DEPLOYMENT_CLOSED,
    DEPLOYMENT_CLOSING,
    MAX_MONEY,
    OPEN,
    ORDER_CLOSED,
    STALE,
    Market,
    account_of,
)


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


@dataclass
class Lease:
    """An order and the lease that it becomes."""

    deployment: str
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
    unclaimed: int = 0
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


class Observer:
    """The state of one exchange as its events tell it."""

    def __init__(self, market: Market) -> None:
        self.exchange = market.exchange
        self.token = market.token
        [parameters] = views(self.exchange, ("market_parameters",))
        _, _, self.scale, self.period, _, self.tip, _, _ = parameters
        [self.provider_count] = views(market.registry, ("provider_count",))
        self.next_block = market.next_block
        self.available: dict[str, int] = defaultdict(int)
        self.locked: dict[str, int] = defaultdict(int)
        self.slashed: dict[str, int] = defaultdict(int)
        self.deployments: dict[str, Deployment] = {}
        self.managers: dict[tuple[str, str], list[int]] = {}
        self.leases: dict[str, Lease] = {}
        for name, block, fields in _events(self.exchange):
            getattr(self, f"_on_{name}")(block, **fields)

    # -------------------------------------------------------------------------------------------- compare

    def check(self) -> None:
        """Compare everything with the views, and the sum of everything with the tokens held."""
        calls, expected = zip(*self._expectations(), strict=True)
        for call, actual, wanted in zip(calls, views(self.exchange, *calls), expected, strict=True):
            assert _plain(actual) == _plain(wanted), call
        [held] = views(self.token, ("balanceOf", self.exchange.address))
        assert self.total() == held * self.scale
        assert self.total() <= MAX_MONEY

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

    def _expectations(self) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """Yield what to ask the exchange, and the answer that fits to its events."""
        for account in sorted(self.available.keys() | self.locked.keys()):
            yield ("account", account), (self.available[account], self.locked[account] + self.slashed[account])
        for id, seen in self.deployments.items():
            yield ("deployment", id), seen.view()
        for (id, manager), word in self.managers.items():
            yield ("manager", id, manager), word
        for id, lease in self.leases.items():
            yield ("order", id), lease.order_view()
            yield ("bids", id), lease.book_view()
            yield ("lease", id), lease.lease_view(self.next_block, self.period)
            for provider in range(1, self.provider_count + 1):
                bid = (provider, lease.bids[provider], lease.collateral) if provider in lease.bids else (0, 0, 0)
                yield ("fulfillment", id, provider), bid

    # ------------------------------------------------------------------------------------ money in and out

    def _on_Deposited(self, block: int, account: str, payer: str, amount: int) -> None:
        self.available[account] += amount

    def _on_Withdrawn(self, block: int, account: str, recipient: str, amount: int) -> None:
        self.available[account] -= amount

    # ------------------------------------------------------------------------------------------ deployments

    def _on_DeploymentSubmitted(
        self, block: int, deployment: str, tenant: str, salt: str, version: str, wait_duration: int
    ) -> None:
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
        word = [permissions, expires_block, spend_cap] if permissions else [0, 0, 0]
        self.managers[deployment, manager] = word

    def _on_ManagerSpent(self, block: int, deployment: str, manager: str, amount: int) -> None:
        self.managers[deployment, manager][2] -= amount

    # ----------------------------------------------------------------------------------------------- orders

    def _on_OrderCreated(
        self, block: int, order: str, deployment: str, nonce: int, deposit: int, wait_duration: int, group: list[Any]
    ) -> None:
        owner = self.deployments[deployment]
        collateral = sum(collateral * count for *_, collateral, count in group[3])
        self.leases[order] = Lease(deployment, collateral, wait_duration, deposit, block + wait_duration)
        self.available[owner.tenant] -= deposit + self.tip
        owner.live_groups += 1
        owner.order_count += 1

    def _on_OrderRecreated(
        self, block: int, order: str, deployment: str, replaced: str, deposit: int, excluded_provider: int
    ) -> None:
        old = self.leases[replaced]
        self.leases[order] = Lease(
            deployment, old.collateral, old.wait_blocks, deposit, block + old.wait_blocks, excluded_provider
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
        assert amount == it.earned or (it.state, amount) == (STALE, it.unclaimed)
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
        self.available[self.deployments[lease.deployment].tenant] += amount

    def _end_group(self, lease: Lease, state: int) -> None:
        lease.end(state)
        self.deployments[lease.deployment].live_groups -= 1


def _events(exchange: Any) -> list[tuple[str, int, dict[str, Any]]]:
    """Return name, block and fields of all events of an exchange; ids as hex."""
    request = {"address": exchange.address, "fromBlock": "0x0", "toBlock": "latest"}
    logs = brownie.web3.provider.make_request("eth_getLogs", [request])["result"]
    formats = _formats()
    return [formats[log["topics"][0]].read(log) for log in logs]


class _Format:
    """How one event is written into a log."""

    def __init__(self, abi: dict[str, Any]) -> None:
        self.name = abi["name"]
        self.indexed = [(field["name"], [collapse_if_tuple(field)]) for field in abi["inputs"] if field["indexed"]]
        others = [field for field in abi["inputs"] if not field["indexed"]]
        self.names = [field["name"] for field in others]
        self.types = [collapse_if_tuple(field) for field in others]

    def read(self, log: dict[str, Any]) -> tuple[str, int, dict[str, Any]]:
        fields = dict(zip(self.names, decode(self.types, bytes.fromhex(log["data"][2:])), strict=True))
        for (name, kind), topic in zip(self.indexed, log["topics"][1:], strict=True):
            [fields[name]] = decode(kind, bytes.fromhex(topic[2:]))
        return self.name, int(log["blockNumber"], 16), {name: _plain(value) for name, value in fields.items()}


@cache
def _formats() -> dict[str, _Format]:
    """Return topic -> format of all events of an exchange."""
    events = [each for each in brownie.Exchange.abi if each["type"] == "event"]
    return {"0x" + event_abi_to_log_topic(each).hex(): _Format(each) for each in events}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str) and is_address(value):
        return to_checksum_address(value)
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value

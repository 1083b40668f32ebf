"""A market to test on: its roles, builders of what they order and bid, and shortcuts through the life of a lease.

Heights: every transaction is a block of its own. `mine_to(block)` makes the next transaction fall into that block;
views and refusals are asked as of the next block too, so all three see the same height.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import brownie
from brownie.exceptions import VirtualMachineError
from eth_abi import encode
from eth_utils import keccak, to_checksum_address

from tests.contracts.client import views

PERIOD = 100
TIP = 100
GRACE = 50
WAIT = 20
INTEREST_RATE = 10**12  # the highest: 1 per block on a collateral of 1,000,000
COLLATERAL_CAP = 2**90 - 1

WEST, EAST = 1, 2  # regions
UPDATE, FUND, SCALE = 1, 2, 4  # permissions
UNKNOWN, OPEN, ORDER_CLOSED, ACTIVE, STALE, CLOSING, CLOSED = range(7)  # states of an order or lease
DEPLOYMENT_ACTIVE, DEPLOYMENT_CLOSING, DEPLOYMENT_CLOSED = 1, 2, 3

MAX_MONEY = 2**96 - 1
MAX_CHARGE = 2**80 - 1
MAX_BLOCKS = 2**32 - 1
NOBODY = "0x" + "00" * 20
NO_ID = "0x" + "00" * 32
UNKNOWN_ID = "0x" + "ab" * 32
VERSION = "0x" + "11" * 32
NEXT_VERSION = "0x" + "22" * 32

# What the plain order of these tests holds and costs: 10,000 of which 100 are the tip of the match, at 40 per block.
# 20 are left that buy no further block.
DEPOSIT = 10_000
CHARGE = 40
COLLATERAL = 5_000
PREPAID_BLOCKS = 247
REMAINDER = 20
MINIMUM_DEPOSIT = 2 * PERIOD * CHARGE + TIP


# what Brownie says of a revert without data: the ABI decoder of Vyper refuses like that
NO_REASON = "Unknown typed error: 0x"


# ------------------------------------------------------------------------------------------ what an order asks for


class Resource(NamedTuple):
    """Compute units of one kind."""

    milli_cpu: int = 500
    memory_bytes: int = 2**30
    disk_bytes: int = 10**9
    price: int = 10
    collateral: int = 1_250
    count: int = 4


class Group(NamedTuple):
    """What goes to one datacenter."""

    name: bytes = b"westcoast".ljust(32, b"\0")
    regions: int = WEST
    persist: bool = False
    resources: Sequence[Resource] = (Resource(),)


def group_of(*, regions: int = WEST, persist: bool = False, **resource: Any) -> Group:
    """Return the plain group, with one resource that differs as given."""
    return Group(regions=regions, persist=persist, resources=(Resource(**resource),))


PLAIN = Group()
PERSISTENT = group_of(persist=True)


@dataclass(frozen=True, slots=True)
class Order:
    """The preimage of an order's id; key and id are computed here again, apart from the contract."""

    deployment: str
    nonce: str
    wait_blocks: int
    group: Group

    @property
    def collateral(self) -> int:
        return sum(each.collateral * each.count for each in self.group.resources)

    @property
    def max_charge(self) -> int:
        price = sum(each.price * each.count for each in self.group.resources)
        return price + self.collateral * INTEREST_RATE // 10**18

    @property
    def key(self) -> tuple[str, str, int, str]:
        terms = (
            self.max_charge
            | self.collateral << 80
            | self.wait_blocks << 176
            | self.group.regions << 208
            | int(self.group.persist) << 240
        )
        named = [self.group.name, [tuple(each) for each in self.group.resources]]
        resources_hash = keccak(encode(["bytes32", "(uint256,uint256,uint256,uint256,uint256,uint256)[]"], named))
        return self.deployment, self.nonce, terms, "0x" + resources_hash.hex()

    @property
    def id(self) -> str:
        deployment, nonce, terms, resources_hash = self.key
        words = [bytes.fromhex(deployment[2:]), bytes.fromhex(nonce[2:]), terms, bytes.fromhex(resources_hash[2:])]
        return "0x" + keccak(encode(["bytes32", "bytes32", "uint256", "bytes32"], words)).hex()

    def renewed(self) -> Order:
        """Return the order that takes the place of this one's stale lease."""
        return replace(self, nonce=self.id)


def deployment_id(exchange: Any, tenant: Any, salt: str) -> str:
    """Return the id of a tenant's deployment, computed apart from the contract."""
    named = [brownie.web3.eth.chain_id, exchange.address, str(tenant), bytes.fromhex(salt[2:])]
    return "0x" + keccak(encode(["uint256", "address", "address", "bytes32"], named)).hex()


def word_of(number: int) -> str:
    """Return a number as a bytes32."""
    return f"0x{number:064x}"


# ----------------------------------------------------------------------------------------------------- the market


@dataclass(frozen=True, slots=True)
class Provider:
    """A registered datacenter and its two keys."""

    number: int
    owner: Any
    operator: Any

    @property
    def account(self) -> str:
        return account_of(self.number)


def account_of(provider: int) -> str:
    """Return the account of a provider: its number as an address."""
    return str(to_checksum_address(f"0x{provider:040x}"))


class Market:
    """The contracts of one market and the roles on it."""

    def __init__(self, exchange: Any, registry: Any, token: Any, accounts: Any, period: int) -> None:
        self.exchange = exchange
        self.registry = registry
        self.token = token
        self.period = period
        self.deployer, self.tenant, self.facilitator, self.stranger, self.attacker, self.manager = accounts[:6]
        self.owner, self.operator, self.rival_owner, self.rival_operator = accounts[6:10]
        self._salts = itertools.count(1)

    # -------------------------------------------------------------------------------------------------- chain

    @property
    def next_block(self) -> int:
        """The block of the next transaction."""
        return brownie.web3.eth.block_number + 1

    def mine_to(self, block: int) -> None:
        """Let the next transaction fall into a block."""
        missing = block - self.next_block
        assert missing >= 0, f"block {block} is {-missing} blocks too late"
        if missing:
            brownie.web3.provider.make_request("anvil_mine", [hex(missing)])

    def view(self, method: str, *args: Any) -> Any:
        """Ask the exchange as of the next block."""
        return views(self.exchange, (method, *args))[0]

    def order(self, order: Order) -> dict[str, int]:
        return dict(self.view("order", order.id).dict())

    def lease(self, order: Order) -> dict[str, Any]:
        """Return what the view tells, and of an active lease what follows from it and from the next block."""
        lease = dict(self.view("lease", order.id).dict())
        if lease["state"] == ACTIVE:
            begin = lease["confirmed_block"] if lease["is_awaiting"] else self.next_block
            lease["deadline_block"] = lease["confirmed_block"] + self.period
            lease["runway_blocks"] = max(0, lease["funded_block"] - begin)
        return lease

    def deployment(self, deployment: str) -> dict[str, Any]:
        return dict(self.view("deployment", deployment).dict())

    def available(self, account: Any) -> int:
        return int(self.view("account", account)[0])

    def committed(self, account: Any) -> int:
        return int(self.view("account", account)[1])

    # ------------------------------------------------------------------------------------------------ roles act

    def register(self, owner: Any, operator: Any, region: int = WEST, cap: int = COLLATERAL_CAP) -> Provider:
        """Register a provider."""
        self.registry.register_provider(operator, region, cap, "https://dc:8443", "{}", b"der", {"from": owner})
        return Provider(self.registry.provider_count(), owner, operator)

    def give(self, account: Any, amount: int) -> None:
        """Deposit tokens of the deployer into somebody's account."""
        self.exchange.deposit(account, amount, {"from": self.deployer})

    def submit(
        self,
        *groups: Group,
        deposits: Sequence[int] | None = None,
        wait: int = WAIT,
        by: Any = None,
    ) -> list[Order]:
        """Submit a deployment and return its orders."""
        groups = groups or (PLAIN,)
        salt = word_of(next(self._salts))
        by = by or self.tenant
        deposits = deposits or [DEPOSIT] * len(groups)
        self.exchange.submit_deployment(salt, VERSION, wait, groups, deposits, {"from": by})
        deployment = deployment_id(self.exchange, by, salt)
        return [Order(deployment, word_of(nonce), wait, group) for nonce, group in enumerate(groups)]

    def bid(self, provider: Provider, order: Order, *prices: int, hint: int = 0) -> Any:
        """Bid, at the maximum prices if no others are given."""
        arguments = bid_arguments(provider, order, *prices, hint=hint)
        return self.exchange.submit_fulfillment(*arguments, {"from": provider.operator})

    def match(self, *orders: Order) -> Any:
        """Wait until the last of the orders can be matched and match all."""
        block = max(self.order(each)["match_block"] for each in orders)
        self.mine_to(max(block, self.next_block))
        return self.exchange.submit_lease([each.key for each in orders], {"from": self.facilitator})

    def confirm(self, provider: Provider, *orders: Order) -> Any:
        """Confirm leases."""
        leases = [each.id for each in orders]
        return self.exchange.submit_lease_confirmation(provider.number, leases, {"from": provider.operator})

    def matched(self, provider: Provider, *groups: Group, **terms: Any) -> list[Order]:
        """Return the orders of a new deployment that all have become leases of one provider."""
        orders = self.submit(*groups, **terms)
        for each in orders:
            self.bid(provider, each)
        self.match(*orders)
        return orders

    def active(self, provider: Provider, *groups: Group, **terms: Any) -> list[Order]:
        """Return leases whose charging has begun."""
        orders = self.matched(provider, *groups, **terms)
        self.confirm(provider, *orders)
        return orders

    def exhausted(self, provider: Provider, *groups: Group, **terms: Any) -> list[Order]:
        """Return leases whose prepaid blocks are all used up and all confirmed; the next block is the first after."""
        orders = self.active(provider, *groups, **terms)
        end = max(self.lease(each)["funded_block"] for each in orders)
        while self.next_block + PERIOD - 1 < end:
            self.mine_to(self.next_block + PERIOD - 1)
            self.confirm(provider, *orders)
        self.mine_to(end)
        self.confirm(provider, *orders)
        return orders

    def close(self, *orders: Order) -> Any:
        """Close the orders' deployment."""
        keys = [each.key for each in orders]
        return self.exchange.close_deployment(orders[0].deployment, keys, {"from": self.tenant})


def deploy_market(
    accounts: Any,
    *,
    token: Any = None,
    period: int = PERIOD,
    interest_rate: int = INTEREST_RATE,
    tip: int = TIP,
    grace: int = GRACE,
    max_fulfillments: int = 32,
) -> Market:
    """Open a market; the deployer has all tokens and has allowed the exchange to take them."""
    by_deployer = {"from": accounts[0]}
    token = token or brownie.MoorageToken.deploy(MAX_MONEY, by_deployer)
    registry = brownie.ProviderRegistry.deploy(0, by_deployer)
    exchange = brownie.Exchange.deploy(
        token, registry, period, interest_rate, tip, grace, max_fulfillments, by_deployer
    )
    token.approve(exchange, 2**256 - 1, by_deployer)
    return Market(exchange, registry, token, accounts, period)


def bid_arguments(provider: Provider, order: Order, *prices: int, hint: int = 0) -> tuple[Any, ...]:
    """Return what a bid is called with, at the maximum prices if no others are given."""
    asked = prices or tuple(each.price for each in order.group.resources)
    return provider.number, order.deployment, order.nonce, order.wait_blocks, order.group, list(asked), hint


# --------------------------------------------------------------------------------------------------- observations


def refusal(method: Callable[..., Any], *args: Any, by: Any) -> str:
    """Return the text with which the next block would refuse a call; empty for a revert without one.

    Raises:
        AssertionError: It would be accepted.
    """
    try:
        method.call(*args, {"from": by}, block_identifier="pending")
    except VirtualMachineError as error:
        text = str(error.revert_msg or "")
        return "" if text == NO_REASON else text
    raise AssertionError(f"{method._name} was accepted")


def logged(transaction: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the exchange's events in a transaction, all fields of each."""
    events = (transaction.events[index] for index in range(len(transaction.events)))
    return [
        (event.name, {key: event[key] for key, _ in event.items()})
        for event in events
        if event.address == transaction.receiver
    ]

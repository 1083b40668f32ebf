"""The exchange as docs/protocol.md describes it, in plain Python: who, on what conditions, to what effect and cost.

Money is in ledger units unless it is said to be in base units. A person is an address, a provider its number, and both
have accounts. Orders are named by their whole terms; an order that replaces a stale lease has the terms of that lease
as its nonce. A refused transaction leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from itertools import chain
from typing import Any, NamedTuple

MAX_MONEY = 2**96 - 1
MAX_CHARGE = 2**80 - 1
MAX_BLOCKS = 2**32 - 1
MAX_EXPIRY = 2**40 - 1
MAX_GROUPS = 8
NOTHING = "exchange: nothing is ready"  # of a batch
ONE = 10**18
NOBODY = 0  # the zero address, and the number that no provider has

Account = str | int


class Refused(Exception):
    """What a refused transaction says."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def refuse_if(condition: bool, text: str) -> None:
    if condition:
        raise Refused(text)


class State(IntEnum):
    """Of an order, and of the lease that it becomes."""

    UNKNOWN = 0
    OPEN = 1
    ORDER_CLOSED = 2
    ACTIVE = 3
    STALE = 4
    CLOSING = 5
    CLOSED = 6


class DeploymentState(IntEnum):
    UNKNOWN = 0
    ACTIVE = 1
    CLOSING = 2
    CLOSED = 3


class Permission(IntFlag):
    UPDATE = 1
    FUND = 2
    SCALE = 4


# ------------------------------------------------------------------ what there is


@dataclass(frozen=True)
class Parameters:
    scale: int  # ledger units of one base unit
    period: int
    interest_rate: int  # per block in 1e-18 of the collateral
    tip: int
    grace: int
    max_fulfillments: int


@dataclass(frozen=True)
class Resource:
    milli_cpu: int
    memory_bytes: int
    disk_bytes: int
    price: int
    collateral: int
    count: int


@dataclass(frozen=True)
class Group:
    name: bytes
    regions: int
    persist: bool
    resources: tuple[Resource, ...]


class DeploymentName(NamedTuple):
    tenant: str
    salt: int


class Terms(NamedTuple):
    """What names an order, and the lease that it becomes."""

    deployment: DeploymentName
    nonce: int | Terms
    wait_duration: int
    group: Group


@dataclass
class Balance:
    available: int = 0
    committed: int = 0  # collateral that is locked now, and all that was ever slashed


@dataclass
class Provider:
    owner: str
    operator: str
    region: int
    cap: int
    pending_owner: str | int = NOBODY


@dataclass
class Manager:
    permissions: int
    expires_block: int
    spendable: int


@dataclass
class Deployment:
    tenant: str
    wait_duration: int
    live_groups: int
    order_count: int
    update_number: int = 1
    state: DeploymentState = DeploymentState.ACTIVE
    managers: dict[str, Manager] = field(default_factory=dict)


@dataclass(frozen=True)
class Fulfillment:
    """A bid as long as its collateral is locked."""

    provider: int
    charge: int
    collateral: int


@dataclass
class Lease:
    """Prepaid are the blocks from claimed to funded, earned are those up to confirmed.

    The remainder is prepaid too, and less than one charge.
    """

    provider: int
    charge: int
    remainder: int
    is_awaiting: bool
    claimed: int
    confirmed: int
    funded: int

    @property
    def earned(self) -> int:
        return self.charge * (self.confirmed - self.claimed)

    @property
    def unearned(self) -> int:
        return self.charge * (self.funded - self.confirmed) + self.remainder


@dataclass
class Order:
    """An order and, from its match on, the lease that it became."""

    created_block: int
    match_block: int
    deposit: int
    excluded: int = NOBODY
    state: State = State.OPEN
    book: list[int] = field(default_factory=list)  # bidders of the open order, the winner first
    fulfillments: dict[int, Fulfillment] = field(default_factory=dict)
    lease: Lease | None = None


class Exchange:
    """A market at one block; each transaction is a method whose first argument is its caller."""

    def __init__(self, parameters: Parameters, block: int, wallets: dict[str, int], providers: dict[int, Provider]):
        self.parameters = parameters
        self.block = block
        self.wallets = wallets  # base units
        self.providers = providers
        self.holdings = 0  # base units of the exchange
        self.accounts: dict[Account, Balance] = {}
        self.deployments: dict[DeploymentName, Deployment] = {}
        self.orders: dict[Terms, Order] = {}

    # -------------------------------------------------------------- money

    def balance(self, account: Account) -> Balance:
        return self.accounts.setdefault(account, Balance())

    def _credit(self, account: Account, amount: int) -> None:
        self.balance(account).available += amount

    def _debit(self, account: Account, amount: int) -> None:
        refuse_if(self.balance(account).available < amount, "ledger: insufficient funds")
        self.balance(account).available -= amount

    def _unlock(self, fulfillment: Fulfillment) -> None:
        balance = self.balance(fulfillment.provider)
        balance.committed -= fulfillment.collateral
        balance.available += fulfillment.collateral

    def deposit(self, caller: str, account: Account, amount: int, allowance: int = 2**256 - 1) -> None:
        refuse_if(account == NOBODY, "ledger: no account")
        refuse_if(amount == 0, "ledger: amount is zero")
        refuse_if(amount > MAX_MONEY, "ledger: amount too large")
        refuse_if(isinstance(account, int) and account not in self.providers, "ledger: unknown provider")
        refuse_if(allowance < amount, "test token: low allowance")
        refuse_if(self.wallets.get(caller, 0) < amount, "test token: low balance")
        too_much = (self.holdings + amount) * self.parameters.scale > MAX_MONEY
        refuse_if(too_much, "ledger: exchange is full")
        self.wallets[caller] -= amount
        self.holdings += amount
        self._credit(account, amount * self.parameters.scale)

    def send_tokens(self, caller: str, amount: int) -> None:
        """Transfer base units to the exchange without deposit: they belong to nobody."""
        refuse_if(self.wallets.get(caller, 0) < amount, "test token: low balance")
        self.wallets[caller] -= amount
        self.holdings += amount

    def withdraw(self, caller: str, account: Account, amount: int, recipient: str | int | None = None) -> None:
        """Pay base units out, to the caller if nobody else is named; NOBODY stands for the two bad recipients."""
        refuse_if(amount == 0, "ledger: amount is zero")
        refuse_if(amount > MAX_MONEY, "ledger: amount too large")
        refuse_if(recipient == NOBODY, "ledger: bad recipient")
        may = self._is_owner(caller, account) if isinstance(account, int) else account == caller
        refuse_if(not may, "ledger: not the owner")
        self._debit(account, amount * self.parameters.scale)
        self.holdings -= amount
        receiver = str(recipient) if recipient is not None else caller
        self.wallets[receiver] = self.wallets.get(receiver, 0) + amount

    # -------------------------------------------------------------- terms of an order

    def collateral(self, group: Group) -> int:
        return sum(resource.collateral * resource.count for resource in group.resources)

    def charge(self, group: Group, prices: Sequence[int]) -> int:
        """Price each unit and add the interest, rounded down."""
        interest = self.collateral(group) * self.parameters.interest_rate // ONE
        return sum(price * unit.count for price, unit in zip(prices, group.resources, strict=True)) + interest

    def max_charge(self, group: Group) -> int:
        return self.charge(group, [resource.price for resource in group.resources])

    def minimum_deposit(self, group: Group) -> int:
        return 2 * self.parameters.period * self.max_charge(group) + self.parameters.tip

    def check_group(self, wait_duration: int, group: Group) -> None:
        refuse_if(wait_duration > MAX_BLOCKS, "terms: wait too long")
        refuse_if(not group.resources, "terms: no resources")
        refuse_if(not 1 <= group.regions <= 2**32 - 1, "terms: bad regions")
        for unit in group.resources:
            is_good = 1 <= unit.count <= 2**32 - 1 and unit.milli_cpu > 0 and unit.memory_bytes > 0
            is_good = is_good and unit.price <= MAX_CHARGE and unit.collateral <= MAX_MONEY
            refuse_if(not is_good, "terms: bad resource group")
        refuse_if(self.collateral(group) > MAX_MONEY, "terms: collateral too high")
        refuse_if(self.collateral(group) < self.parameters.tip, "terms: collateral below tip")
        refuse_if(self.max_charge(group) == 0, "terms: charge is zero")
        refuse_if(self.max_charge(group) > MAX_CHARGE, "terms: price too high")

    def _check_deposit(self, group: Group, deposit: int) -> None:
        refuse_if(deposit < self.minimum_deposit(group), "order_book: deposit too small")
        refuse_if(deposit > MAX_MONEY, "order_book: deposit too large")

    # -------------------------------------------------------------- deployments

    def submit_deployment(
        self,
        caller: str,
        salt: int,
        version: int,
        wait_duration: int,
        groups: Sequence[Group],
        deposits: Sequence[int],
    ) -> None:
        name = DeploymentName(caller, salt)
        refuse_if(name in self.deployments, "deployments: salt was used")
        refuse_if(version == 0, "deployments: no version")
        refuse_if(not groups, "deployments: no groups")
        refuse_if(len(deposits) != len(groups), "deployments: one deposit each")
        for group, deposit in zip(groups, deposits, strict=True):
            self.check_group(wait_duration, group)
            self._check_deposit(group, deposit)
        tip = self.parameters.tip
        self._debit(caller, sum(deposits) + len(groups) * tip + tip)
        self.deployments[name] = Deployment(caller, wait_duration, len(groups), len(groups))
        for nonce, (group, deposit) in enumerate(zip(groups, deposits, strict=True)):
            self._open(Terms(name, nonce, wait_duration, group), deposit)

    def _open(self, terms: Terms, deposit: int, excluded: int = NOBODY) -> None:
        self.orders[terms] = Order(self.block, self.block + terms.wait_duration, deposit, excluded)

    def update_deployment(
        self,
        caller: str,
        name: DeploymentName,
        version: int,
        groups: Sequence[Group],
        deposits: Sequence[int],
        removed: Sequence[Terms],
    ) -> None:
        deployment = self.deployments.get(name)
        if deployment is None or deployment.state != DeploymentState.ACTIVE:
            raise Refused("deployments: not active")
        needed = Permission.UPDATE if version else Permission(0)
        needed |= Permission.SCALE if groups or removed else Permission(0)
        refuse_if(not needed, "deployments: nothing to update")
        refuse_if(len(deposits) != len(groups), "deployments: one deposit each")
        for group, deposit in zip(groups, deposits, strict=True):
            self.check_group(deployment.wait_duration, group)
            self._check_deposit(group, deposit)
        total = sum(deposits) + len(groups) * self.parameters.tip
        manager = self._permitted_manager(deployment, caller, needed, total)
        refuse_if(self.balance(deployment.tenant).available < total, "ledger: insufficient funds")
        self._check_belong(name, removed)
        first, wait_duration = deployment.order_count, deployment.wait_duration
        added = [Terms(name, nonce, wait_duration, group) for nonce, group in enumerate(groups, start=first)]
        live = deployment.live_groups + len(added) - self._ending_at_once(removed, added)
        refuse_if(live > MAX_GROUPS, "deployments: too many groups")

        if manager:
            manager.spendable -= total
        self._debit(deployment.tenant, total)
        for terms, deposit in zip(added, deposits, strict=True):
            self._open(terms, deposit)
        deployment.order_count += len(added)
        deployment.live_groups += len(added)
        deployment.update_number += 1 if version else 0
        self._end_groups(caller, removed)

    def close_deployment(self, caller: str, name: DeploymentName, orders: Sequence[Terms]) -> None:
        deployment = self._deployment_of(caller, name)
        self._check_belong(name, orders)
        deployment.state = DeploymentState.CLOSING
        self._end_groups(caller, orders)

    def deployment_closed(self, caller: str, names: Sequence[DeploymentName]) -> None:
        ready = []
        for name in dict.fromkeys(names):
            deployment = self.deployments.get(name)
            if deployment and deployment.state == DeploymentState.CLOSING and deployment.live_groups == 0:
                ready.append(deployment)
        refuse_if(not ready, NOTHING)
        for deployment in ready:
            deployment.state = DeploymentState.CLOSED
            self._credit(caller, self.parameters.tip)

    def set_manager(
        self, caller: str, name: DeploymentName, manager: str, permissions: int, expires_block: int, spend_cap: int
    ) -> None:
        deployment = self._deployment_of(caller, name)
        refuse_if(expires_block > MAX_EXPIRY or spend_cap > MAX_MONEY, "deployments: bad limits")
        deployment.managers.pop(manager, None)
        if permissions:
            deployment.managers[manager] = Manager(permissions, expires_block, spend_cap)

    def _deployment_of(self, caller: str, name: DeploymentName) -> Deployment:
        deployment = self.deployments.get(name)
        if deployment is None or deployment.tenant != caller:
            raise Refused("deployments: not the tenant")
        refuse_if(deployment.state == DeploymentState.CLOSED, "deployments: closed")
        return deployment

    def _permitted_manager(self, deployment: Deployment, caller: str, needed: int, amount: int) -> Manager | None:
        """Return the manager out of whose cap the amount goes, or nobody if the caller is the tenant."""
        if caller == deployment.tenant:
            return None
        manager = deployment.managers.get(caller)
        if manager is None or manager.permissions & needed != needed:
            raise Refused("deployments: not permitted")
        refuse_if(self.block > manager.expires_block, "deployments: manager expired")
        refuse_if(manager.spendable < amount, "deployments: above spend cap")
        return manager

    @staticmethod
    def _check_belong(name: DeploymentName, orders: Sequence[Terms]) -> None:
        refuse_if(any(terms.deployment != name for terms in orders), "deployments: order of another")

    def _ending_at_once(self, orders: Sequence[Terms], added: Sequence[Terms]) -> int:
        """Count what would not have to go through CLOSING, also of what is only being added."""
        found = [self.orders[terms] for terms in dict.fromkeys(orders) if terms in self.orders]
        ending = sum(order.state == State.OPEN or self._is_stale(order) for order in found)
        return ending + len(set(orders) & set(added))

    def _end_groups(self, caller: str, orders: Sequence[Terms]) -> None:
        """End open orders, begin the closing of leases, and settle those that are stale already."""
        for terms in orders:
            order = self.orders.get(terms)
            if order is None:
                continue
            deployment = self.deployments[terms.deployment]
            if order.state == State.OPEN:
                order.state, order.book = State.ORDER_CLOSED, []
                self._credit(deployment.tenant, order.deposit + self.parameters.tip)
                deployment.live_groups -= 1
            elif self._is_stale(order):
                self._end_stale(terms, order, is_renewed=False)
                self._credit(caller, self.parameters.tip)
            elif order.state == State.ACTIVE:
                self._begin_closing(order)

    def _begin_closing(self, order: Order) -> None:
        lease = _lease_of(order)
        if not lease.is_awaiting:
            lease.confirmed = min(self.block, lease.funded)
        moved = self.block - lease.confirmed
        lease.claimed += moved
        lease.confirmed += moved
        lease.funded += moved
        lease.is_awaiting = False
        order.state = State.CLOSING

    # -------------------------------------------------------------- fulfillments

    def submit_fulfillment(self, caller: str, number: int, terms: Terms, prices: Sequence[int]) -> None:
        group = terms.group
        self.check_group(terms.wait_duration, group)
        order = self._open_order(terms)
        self._check_operator(caller, number)
        provider = self.providers[number]
        refuse_if(provider.region & group.regions == 0, "order_book: not in the region")
        refuse_if(order.excluded == number, "order_book: provider excluded")
        refuse_if(number in order.fulfillments, "order_book: already bid")
        refuse_if(len(prices) != len(group.resources), "order_book: one price each")
        is_dear = any(price > unit.price for price, unit in zip(prices, group.resources, strict=True))
        refuse_if(is_dear, "order_book: price above maximum")
        charge = self.charge(group, prices)
        refuse_if(charge == 0, "order_book: charge is zero")
        is_full = len(order.book) == self.parameters.max_fulfillments
        refuse_if(is_full and charge >= order.fulfillments[order.book[-1]].charge, "order_book: book is full")
        bid = Fulfillment(number, charge, self.collateral(group))
        balance = self.balance(number)
        refuse_if(balance.available < bid.collateral, "ledger: insufficient funds")
        refuse_if(balance.committed + bid.collateral > provider.cap, "ledger: above collateral cap")

        if is_full:
            self._unlock(order.fulfillments.pop(order.book.pop()))
        balance.available -= bid.collateral
        balance.committed += bid.collateral
        order.fulfillments[number] = bid
        not_dearer = [other for other in order.book if order.fulfillments[other].charge <= charge]
        order.book.insert(len(not_dearer), number)

    def cancel_fulfillment(self, caller: str, number: int, terms: Terms) -> None:
        order = self._open_order(terms)
        is_late = self.block > order.created_block + terms.wait_duration // 2
        refuse_if(is_late, "order_book: bid is binding")
        refuse_if(number not in order.fulfillments, "order_book: no such bid")
        self._check_operator(caller, number)
        order.book.remove(number)
        self._unlock(order.fulfillments.pop(number))

    def release_fulfillments(self, _caller: str, terms: Terms, numbers: Sequence[int]) -> None:
        order = self.orders.get(terms)
        refuse_if(order is not None and order.state == State.OPEN, "order_book: order is open")
        losers = []
        if order:
            winner = order.lease.provider if order.lease else NOBODY
            losers = [number for number in dict.fromkeys(numbers) if number in order.fulfillments and number != winner]
        if order is None or not losers:
            raise Refused(NOTHING)
        for number in losers:
            self._unlock(order.fulfillments.pop(number))

    def _open_order(self, terms: Terms) -> Order:
        order = self.orders.get(terms)
        if order is None or order.state != State.OPEN:
            raise Refused("order_book: order not open")
        return order

    def _check_operator(self, caller: str, number: int) -> None:
        provider = self.providers.get(number)
        refuse_if(provider is None or provider.operator != caller, "order_book: not the operator")

    def _is_owner(self, caller: str, number: int) -> bool:
        provider = self.providers.get(number)
        return provider is not None and provider.owner == caller

    # -------------------------------------------------------------- leases

    def submit_lease(self, caller: str, orders: Sequence[Terms]) -> None:
        ready = [terms for terms in dict.fromkeys(orders) if self._is_matchable(self.orders.get(terms))]
        refuse_if(not ready, NOTHING)
        for terms in ready:
            order = self.orders[terms]
            winner = order.fulfillments[order.book[0]]
            prepaid = order.deposit - self.parameters.tip
            blocks = min(prepaid // winner.charge, MAX_BLOCKS)
            left = prepaid - blocks * winner.charge
            is_more_than_a_lease_can_hold = left >= winner.charge
            order.lease = Lease(
                provider=winner.provider,
                charge=winner.charge,
                remainder=0 if is_more_than_a_lease_can_hold else left,
                is_awaiting=True,
                claimed=self.block,
                confirmed=self.block,
                funded=self.block + blocks,
            )
            order.state, order.book = State.ACTIVE, []
            self._credit(terms.deployment.tenant, left if is_more_than_a_lease_can_hold else 0)
            self._credit(caller, self.parameters.tip)

    def submit_lease_confirmation(self, caller: str, number: int, leases: Sequence[Terms]) -> None:
        self._check_operator(caller, number)
        found = [self._lease_in(terms, State.ACTIVE) for terms in leases]
        ready = [lease for lease in found if lease and lease.provider == number and self.block <= self._deadline(lease)]
        refuse_if(not ready, NOTHING)
        for lease in ready:
            if lease.is_awaiting:
                lease.funded += self.block - lease.confirmed
                lease.claimed = lease.confirmed = self.block
                lease.is_awaiting = False
            else:
                lease.confirmed = min(self.block, lease.funded)

    def claim(self, _caller: str, leases: Sequence[Terms]) -> None:
        states = State.ACTIVE, State.CLOSING, State.STALE
        found = [self._lease_in(terms, *states) for terms in dict.fromkeys(leases)]
        ready = [lease for lease in found if lease and lease.earned > 0]
        refuse_if(not ready, NOTHING)
        for lease in ready:
            self._credit(lease.provider, lease.earned)
            lease.claimed = lease.confirmed

    def fund(self, caller: str, terms: Terms, blocks: int) -> None:
        order = self.orders.get(terms)
        if order is None or order.state not in (State.OPEN, State.ACTIVE):
            raise Refused("leases: neither open nor active")
        refuse_if(self._is_stale(order), "leases: lease is stale")
        ahead = _lease_of(order).funded - _lease_of(order).confirmed if order.lease else 0
        refuse_if(not 1 <= blocks <= MAX_BLOCKS - ahead, "leases: bad number of blocks")
        if order.state == State.OPEN:
            amount = blocks * self.max_charge(terms.group)
            self._take_from_payer(caller, terms.deployment, amount)
            order.deposit += amount  # stays below 2**96, as all money does
            return
        lease = _lease_of(order)
        is_revival = self._is_exhausted(order)
        self._check_payer(caller, terms.deployment, blocks * lease.charge)
        refuse_if(is_revival and blocks < 2 * self.parameters.period, "leases: revival too short")
        self._take_from_payer(caller, terms.deployment, blocks * lease.charge)
        if not is_revival:
            lease.funded += blocks
            return
        if self.block <= self._deadline(lease):
            lease.confirmed = lease.funded
        self._credit(lease.provider, lease.earned)
        left = lease.funded - lease.confirmed
        lease.claimed = lease.confirmed = self.block
        lease.funded = self.block + left + blocks
        lease.is_awaiting = True

    def _check_payer(self, caller: str, name: DeploymentName, amount: int) -> tuple[str, Manager | None]:
        """Return whose account pays, and the manager out of whose cap."""
        deployment = self.deployments[name]
        manager = None
        if caller in deployment.managers:
            manager = self._permitted_manager(deployment, caller, Permission.FUND, amount)
        payer = deployment.tenant if manager else caller
        refuse_if(self.balance(payer).available < amount, "ledger: insufficient funds")
        return payer, manager

    def _take_from_payer(self, caller: str, name: DeploymentName, amount: int) -> None:
        payer, manager = self._check_payer(caller, name, amount)
        if manager:
            manager.spendable -= amount
        self._debit(payer, amount)

    def submit_stale_lease(self, caller: str, leases: Sequence[Terms]) -> None:
        ready = []
        for terms in dict.fromkeys(leases):
            lease = self._lease_in(terms, State.ACTIVE)
            is_resignation = len(leases) == 1 and lease is not None and self._is_owner(caller, lease.provider)
            if lease and (is_resignation or self._is_stale(self.orders[terms])):
                ready.append(terms)
        refuse_if(not ready, NOTHING)
        for terms in ready:
            is_active = self.deployments[terms.deployment].state == DeploymentState.ACTIVE
            self._end_stale(terms, self.orders[terms], is_renewed=is_active and terms.group.persist)
            self._credit(caller, self.parameters.tip)

    def _end_stale(self, terms: Terms, order: Order, *, is_renewed: bool) -> None:
        """Move the collateral to the tenant, but for the tip, which whoever calls this pays to its caller.

        What the provider has earned stays in the lease until somebody claims it for the provider.
        """
        tip = self.parameters.tip
        lease = _lease_of(order)
        collateral = order.fulfillments.pop(lease.provider).collateral
        order.state = State.STALE
        left = lease.unearned + collateral - tip
        deposit = max(lease.unearned, self.minimum_deposit(terms.group))
        deployment = self.deployments[terms.deployment]
        if is_renewed and deposit <= left:
            self._credit(deployment.tenant, left - deposit)
            self._open(terms._replace(nonce=terms), deposit, excluded=lease.provider)
        else:
            self._credit(deployment.tenant, left + tip)
            deployment.live_groups -= 1

    def confirm_closed(self, caller: str, number: int, leases: Sequence[Terms]) -> None:
        self._check_operator(caller, number)
        ready = []
        for terms in dict.fromkeys(leases):
            lease = self._lease_in(terms, State.CLOSING)
            if lease and lease.provider == number:
                ready.append(terms)
        refuse_if(not ready, NOTHING)
        for terms in ready:
            self._end_closed(terms, tip_receiver=terms.deployment.tenant)

    def finish_leases(self, caller: str, leases: Sequence[Terms]) -> None:
        ready = [terms for terms in dict.fromkeys(leases) if self._is_finishable(self.orders.get(terms))]
        refuse_if(not ready, NOTHING)
        for terms in ready:
            self._end_closed(terms, tip_receiver=caller)

    def _end_closed(self, terms: Terms, *, tip_receiver: str) -> None:
        order = self.orders[terms]
        lease = _lease_of(order)
        self._credit(lease.provider, lease.earned)
        self._unlock(order.fulfillments.pop(lease.provider))
        self._credit(terms.deployment.tenant, lease.unearned)
        self._credit(tip_receiver, self.parameters.tip)
        self.deployments[terms.deployment].live_groups -= 1
        order.state = State.CLOSED

    # -------------------------------------------------------------- conditions that come with time

    def _deadline(self, lease: Lease) -> int:
        return lease.confirmed + self.parameters.period

    def _lease_in(self, terms: Terms, *states: State) -> Lease | None:
        order = self.orders.get(terms)
        return order.lease if order and order.state in states else None

    def _is_matchable(self, order: Order | None) -> bool:
        return order is not None and order.state == State.OPEN and bool(order.book) and self.block >= order.match_block

    def _is_stale(self, order: Order) -> bool:
        if order.state != State.ACTIVE:
            return False
        lease = _lease_of(order)
        deadline = self._deadline(lease)
        return self.block > deadline and (lease.is_awaiting or deadline < lease.funded)

    def _is_exhausted(self, order: Order) -> bool:
        if order.state != State.ACTIVE or self._is_stale(order):
            return False
        lease = _lease_of(order)
        return not lease.is_awaiting and self.block >= lease.funded

    def _is_finishable(self, order: Order | None) -> bool:
        if order is None or order.state not in (State.ACTIVE, State.CLOSING):
            return False
        lease = _lease_of(order)
        if order.state == State.CLOSING:
            return self.block > lease.confirmed + self.parameters.grace
        is_settled = lease.confirmed == lease.funded or self.block > self._deadline(lease)
        return self._is_exhausted(order) and self.block > lease.funded + self.parameters.grace and is_settled

    # -------------------------------------------------------------- views, with the fields in the contract's order

    def views(self, accounts: Iterable[Account]) -> Iterator[tuple[tuple[Any, ...], object]]:
        """Yield all that can be seen: a view with what it is asked about, and its answer."""
        for account in accounts:
            yield ("account", account), self.account_view(account)
        for name, deployment in self.deployments.items():
            yield ("deployment", name), self.deployment_view(name)
            for manager in deployment.managers:
                yield ("manager", name, manager), self.manager_view(name, manager)
        for terms, order in self.orders.items():
            yield ("order", terms), self.order_view(terms)
            yield ("bids", terms), self.bids_view(terms)
            yield ("lease", terms), self.lease_view(terms)
            for number in order.fulfillments:
                yield ("fulfillment", terms, number), self.fulfillment_view(terms, number)

    def account_view(self, account: Account) -> tuple[int, int]:
        balance = self.balance(account)
        return balance.available, balance.committed

    def deployment_view(self, name: DeploymentName) -> tuple[str | int, int, int, int, int, int]:
        deployment = self.deployments.get(name)
        if deployment is None:
            return NOBODY, 0, 0, 0, 0, 0
        if deployment.state == DeploymentState.CLOSED:
            return deployment.tenant, DeploymentState.CLOSED, 0, 0, 0, 0
        counts = deployment.live_groups, deployment.order_count, deployment.update_number, deployment.wait_duration
        return deployment.tenant, deployment.state, *counts

    def manager_view(self, name: DeploymentName, person: str) -> tuple[int, int, int]:
        manager = self.deployments[name].managers.get(person)
        return (manager.permissions, manager.expires_block, manager.spendable) if manager else (0, 0, 0)

    def order_view(self, terms: Terms) -> tuple[int, int, int, int, int]:
        order = self.orders.get(terms)
        if order is None:
            return 0, 0, 0, 0, 0
        if order.state != State.OPEN:
            return order.state, 0, 0, 0, 0
        return order.state, order.deposit, order.match_block, len(order.book), order.excluded

    def bids_view(self, terms: Terms) -> tuple[tuple[int, int, int], ...]:
        order = self.orders.get(terms)
        if order is None or order.state != State.OPEN:
            return ()
        return tuple(self.fulfillment_view(terms, number) for number in order.book)

    def fulfillment_view(self, terms: Terms, number: int) -> tuple[int, int, int]:
        order = self.orders.get(terms)
        bid = order.fulfillments.get(number) if order else None
        return (bid.provider, bid.charge, bid.collateral) if bid else (0, 0, 0)

    def lease_view(self, terms: Terms) -> tuple[int | bool, ...]:
        order = self.orders.get(terms)
        if order is None or order.lease is None:
            return (order.state if order else 0, 0, 0, 0, False, 0, 0, 0, 0, False, False)
        lease = order.lease
        if order.state in (State.STALE, State.CLOSED):
            earned = lease.earned if order.state == State.STALE else 0
            return (order.state, lease.provider, 0, 0, False, 0, 0, 0, earned, False, False)
        return (
            order.state,
            lease.provider,
            lease.charge,
            lease.remainder,
            lease.is_awaiting,
            lease.claimed,
            lease.confirmed,
            lease.funded,
            lease.earned,
            self._is_stale(order),
            self._is_exhausted(order),
        )

    # -------------------------------------------------------------- invariants

    def money(self) -> int:
        """Add up what is available, all locked collateral, and what orders, leases and deployments hold."""
        tip = self.parameters.tip
        total = sum(balance.available for balance in self.accounts.values())
        total += sum(self.locked(number) for number in self.providers)
        total += sum(tip for deployment in self.deployments.values() if deployment.state != DeploymentState.CLOSED)
        for order in self.orders.values():
            if order.state == State.OPEN:
                total += order.deposit + tip
            elif order.state in (State.ACTIVE, State.CLOSING):
                total += _lease_of(order).earned + _lease_of(order).unearned + tip
            elif order.state == State.STALE:
                total += _lease_of(order).earned
        return total

    def locked(self, number: int) -> int:
        """Add up the collateral of a provider's fulfillments; what it has committed beyond that was slashed."""
        mine = chain.from_iterable(order.fulfillments.values() for order in self.orders.values())
        return sum(bid.collateral for bid in mine if bid.provider == number)


def _lease_of(order: Order) -> Lease:
    assert order.lease is not None
    return order.lease

"""A market on which programs act: the contract beside the model, and who has gained what when all have left.

A transaction is a method, named as in the protocol. What the contract answers is what the model answers, or the test
fails; a refusal is raised, in the words of the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import boa  # type: ignore[import-untyped]
import pytest

from tests.adversaries.cast import SWEEPER, WAIT
from tests.stateful.evm import FIRST_BLOCK, Ids, Market, address, word, words_of
from tests.stateful.model import (
    Account,
    DeploymentName,
    DeploymentState,
    Group,
    Lease,
    Order,
    Refused,
    State,
    Terms,
)


@contextmanager
def refused(text: str) -> Iterator[None]:
    """Expect exactly this refusal."""
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.text == text


class Stage:
    """One run on the market, which begins as its setting says."""

    def __init__(self, market: Market) -> None:
        boa.env.sha3_trace.clear()  # it would grow with each run
        self.market = market
        self.model = market.setting.model()
        self.ids = Ids(market.exchange, self.model)
        self.tips: Counter[str] = Counter()  # caller -> tips that work was worth which the exchange accepted
        self.go_to(FIRST_BLOCK)

    # -------------------------------------------------------------- blocks, and what is seen in them

    @property
    def block(self) -> int:
        return self.model.block

    def go_to(self, block: int) -> None:
        self.model.block = block
        self.market.at(block)

    def pass_blocks(self, count: int) -> None:
        self.go_to(self.block + count)

    def order(self, terms: Terms) -> Order:
        return self.model.orders[terms]

    def state(self, terms: Terms) -> State:
        return self.order(terms).state

    def lease(self, terms: Terms) -> Lease:
        lease = self.order(terms).lease
        assert lease is not None
        return lease

    def available(self, account: Account) -> int:
        """Return what the contract says that an account can take out, and the model too."""
        available = int(self.market.view("account", address(account))[0])
        assert available == self.model.balance(account).available
        return available

    def agree(self) -> None:
        """Hold all orders, leases and accounts of the contract against the model."""
        for terms in self.model.orders:
            assert self.market.view("lease", self.ids.order(terms)) == self.model.lease_view(terms)
        for account in self.model.accounts:
            assert self.market.view("account", address(account)) == self.model.account_view(account)

    def orders_in(self, *states: State) -> list[Terms]:
        return [terms for terms, order in self.model.orders.items() if order.state in states]

    # -------------------------------------------------------------- transactions

    def _both(self, name: str, caller: str, expected: Callable[[], None], *arguments: object) -> None:
        refusal = None
        try:
            expected()
        except Refused as caught:
            refusal = caught
        answer = self.market.send(self.market.exchange, name, caller, *arguments)
        said = refusal.text if refusal else None
        assert answer == said, f"{name}: the contract says {answer!r}, the model {said!r}"
        if refusal:
            raise refusal

    def _crank(
        self, name: str, caller: str, named: Iterable[Terms], expected: Callable[[], None], *arguments: object
    ) -> None:
        """Send what pays a tip for each order or lease that it ends or matches."""
        before = {terms: self.state(terms) for terms in named if terms in self.model.orders}
        self._both(name, caller, expected, *arguments)
        paid = (State.ACTIVE, State.STALE, State.CLOSED)
        moved = [terms for terms, state in before.items() if state != self.state(terms) in paid]
        self.tips[caller] += len(moved) * self.model.parameters.tip

    def deposit(self, caller: str, account: Account, amount: int) -> None:
        self._both("deposit", caller, lambda: self.model.deposit(caller, account, amount), address(account), amount)

    def withdraw(self, caller: str, account: Account, amount: int) -> None:
        self._both("withdraw", caller, lambda: self.model.withdraw(caller, account, amount), address(account), amount)

    def submit_deployment(
        self, tenant: str, groups: Sequence[Group], deposits: Sequence[int], wait: int = WAIT, salt: int | None = None
    ) -> list[Terms]:
        salt = len(self.model.deployments) if salt is None else salt
        what = wait, groups, deposits
        encoded = word(salt), word(1), wait, [words_of(group) for group in groups], deposits
        self._both("submit_deployment", tenant, lambda: self.model.submit_deployment(tenant, salt, 1, *what), *encoded)
        return self.orders_of(DeploymentName(tenant, salt))

    def close_deployment(self, tenant: str, name: DeploymentName, orders: Sequence[Terms] | None = None) -> None:
        """Close all that lives, if nothing else is said."""
        if orders is None:
            orders = [terms for terms in self.orders_of(name) if self.state(terms) in (State.OPEN, State.ACTIVE)]
        listed = list(orders)
        stale = [terms for terms in listed if self.model._is_stale(self.order(terms))]
        self._crank(
            "close_deployment",
            tenant,
            stale,
            lambda: self.model.close_deployment(tenant, name, listed),
            self.ids.deployment(name),
            self._keys(listed),
        )

    def deployment_closed(self, caller: str, names: Sequence[DeploymentName]) -> None:
        before = self._count_closed()
        ids = [self.ids.deployment(name) for name in names]
        self._both("deployment_closed", caller, lambda: self.model.deployment_closed(caller, names), ids)
        self.tips[caller] += (self._count_closed() - before) * self.model.parameters.tip

    def submit_fulfillment(self, number: int, terms: Terms, *prices: int, hint: int = 0) -> None:
        """Bid a price for each resource group."""
        caller = self.model.providers[number].operator
        named = self.ids.deployment(terms.deployment), self.ids.nonce(terms.nonce), terms.wait_duration
        what = number, *named, words_of(terms.group), prices, hint
        self._both(
            "submit_fulfillment", caller, lambda: self.model.submit_fulfillment(caller, number, terms, prices), *what
        )

    def cancel_fulfillment(self, number: int, terms: Terms) -> None:
        caller = self.model.providers[number].operator
        self._both(
            "cancel_fulfillment",
            caller,
            lambda: self.model.cancel_fulfillment(caller, number, terms),
            number,
            self.ids.key(terms),
        )

    def release_fulfillments(self, caller: str, terms: Terms, numbers: Sequence[int]) -> None:
        self._both(
            "release_fulfillments",
            caller,
            lambda: self.model.release_fulfillments(caller, terms, numbers),
            self.ids.order(terms),
            numbers,
        )

    def submit_lease(self, caller: str, orders: Sequence[Terms]) -> None:
        self._crank("submit_lease", caller, orders, lambda: self.model.submit_lease(caller, orders), self._keys(orders))

    def submit_lease_confirmation(self, number: int, leases: Sequence[Terms]) -> None:
        caller = self.model.providers[number].operator
        self._both(
            "submit_lease_confirmation",
            caller,
            lambda: self.model.submit_lease_confirmation(caller, number, leases),
            number,
            self._ids(leases),
        )

    def claim(self, caller: str, leases: Sequence[Terms]) -> None:
        self._both("claim", caller, lambda: self.model.claim(caller, leases), self._ids(leases))

    def fund(self, caller: str, terms: Terms, blocks: int) -> None:
        self._both("fund", caller, lambda: self.model.fund(caller, terms, blocks), self.ids.key(terms), blocks)

    def submit_stale_lease(self, caller: str, leases: Sequence[Terms]) -> None:
        self._crank(
            "submit_stale_lease",
            caller,
            leases,
            lambda: self.model.submit_stale_lease(caller, leases),
            self._keys(leases),
        )

    def confirm_closed(self, number: int, leases: Sequence[Terms]) -> None:
        caller = self.model.providers[number].operator
        self._both(
            "confirm_closed",
            caller,
            lambda: self.model.confirm_closed(caller, number, leases),
            number,
            self._keys(leases),
        )

    def finish_leases(self, caller: str, leases: Sequence[Terms]) -> None:
        self._crank(
            "finish_leases", caller, leases, lambda: self.model.finish_leases(caller, leases), self._keys(leases)
        )

    def set_collateral_cap(self, number: int, cap: int) -> None:
        provider = self.model.providers[number]
        provider.cap = cap
        refusal = self.market.send(self.market.registry, "set_collateral_cap", provider.owner, number, cap)
        assert refusal is None, refusal

    # -------------------------------------------------------------- names

    def orders_of(self, name: DeploymentName) -> list[Terms]:
        return [terms for terms in self.model.orders if terms.deployment == name]

    def renewed(self, terms: Terms) -> Terms:
        """Return the order that replaces a stale lease."""
        return terms._replace(nonce=terms)

    def _ids(self, orders: Sequence[Terms]) -> list[bytes]:
        return [self.ids.order(terms) for terms in orders]

    def _keys(self, orders: Sequence[Terms]) -> list[tuple[bytes, bytes, int, bytes]]:
        return [self.ids.key(terms) for terms in orders]

    def _count_closed(self) -> int:
        return sum(found.state == DeploymentState.CLOSED for found in self.model.deployments.values())

    # -------------------------------------------------------------- the end

    def leave(self) -> dict[str, int]:
        """Let everybody end everything and take what is theirs; return what each has gained, in ledger units.

        Each gets what the model says, nothing stays, and what one gains another loses.
        """
        self.agree()
        self._end_everything()
        for account, balance in list(self.model.accounts.items()):
            if balance.available:
                owner = self.model.providers[account].owner if isinstance(account, int) else account
                self.withdraw(owner, account, balance.available)
        profits = {}
        for who, began_with in self.market.setting.wallets.items():
            has = self.market.tokens(who)
            assert has == self.model.wallets[who]
            profits[who] = has - began_with
        assert self.market.tokens(self.market.exchange) == 0
        assert sum(profits.values()) == 0
        return profits

    def _end_everything(self) -> None:
        for name, deployment in self.model.deployments.items():
            live = [terms for terms in self.orders_of(name) if self.state(terms) in (State.OPEN, State.ACTIVE)]
            for part in _parts(live, 8):
                self.close_deployment(name.tenant, name, part)
            if deployment.state == DeploymentState.ACTIVE:
                self.close_deployment(name.tenant, name, [])
        for part in _parts(self.orders_in(State.STALE), 32):
            with suppress(Refused):  # there may be nothing to claim
                self.claim(SWEEPER, part)
        self.pass_blocks(self.model.parameters.grace + 1)
        for part in _parts(self.orders_in(State.CLOSING), 32):
            self.finish_leases(SWEEPER, part)
        for terms, order in self.model.orders.items():
            for numbers in _parts(list(order.fulfillments), 32):
                self.release_fulfillments(SWEEPER, terms, numbers)
        closing = [name for name, it in self.model.deployments.items() if it.state == DeploymentState.CLOSING]
        for names in _parts(closing, 32):
            self.deployment_closed(SWEEPER, names)


def _parts(items: Sequence, size: int) -> Iterator[list]:  # type: ignore[type-arg]
    return (list(items[start : start + size]) for start in range(0, len(items), size))

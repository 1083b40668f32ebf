"""A market on which steps are taken by hand, compared as those of the machine are, and can be taken back."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import boa  # type: ignore[import-untyped]

from tests.stateful.evm import Setting, word, words_of
from tests.stateful.exchange_machine import ExchangeMachine
from tests.stateful.model import DeploymentName, Group, Lease, Resource, Terms
from tests.stateful.settings import FACILITATOR, TENANTS

TENANT = TENANTS[0]
VERSION = 7


class Walk(ExchangeMachine):
    """The machine without its chance."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.opening_ticket = 0
        self.tickets = Counter()
        self.choose_by(0)
        self.begin(setting)

    @property
    def block(self) -> int:
        return self.model.block

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Take back afterwards what happens within."""
        saved = pickle.dumps((self.model, self.observer.observed))
        kept = self.seen, dict(self.names), self.deployment_count, self.sent_tokens
        snapshot = boa.env.evm.snapshot()
        yield
        boa.env.evm.revert(snapshot)
        self.model, self.observer.observed = pickle.loads(saved)
        self.seen, self.names, self.deployment_count, self.sent_tokens = kept
        self.market.at(self.model.block)

    def group(self, *, is_right: bool = True, persist: bool = False, regions: int = 1) -> Group:
        """Return a group of two units; its collateral is some blocks' charge above the tip."""
        unit = Resource(1, 2, 3, price=10**9 + 7, collateral=10**13 + self.model.parameters.tip, count=2)
        other = Resource(4, 5, 6, price=10**9, collateral=5, count=1)
        return Group(b"group".ljust(32, b"\0"), regions, persist, (unit, other))

    def deployment(self, groups: list[Group], deposits: list[int], wait: int = 0) -> list[Terms]:
        """Submit a deployment and return what names its orders."""
        self.deployment_count += 1
        name = DeploymentName(TENANT, self.deployment_count)

        def expected() -> None:
            self.model.submit_deployment(TENANT, name.salt, VERSION, wait, groups, deposits)

        what = word(name.salt), word(VERSION), wait, [words_of(group) for group in groups], deposits
        assert self.both("submit_deployment", TENANT, expected, *what) is None
        return [Terms(name, nonce, wait, group) for nonce, group in enumerate(groups)]

    def order(self, *, blocks: int = 0, wait: int = 0, persist: bool = False, extra: int = 0) -> Terms:
        """Submit an order that prepays so many blocks, two periods if it is not said, and a little more."""
        group = self.group(persist=persist)
        blocks = blocks or 2 * self.model.parameters.period
        deposit = blocks * self.model.max_charge(group) + self.model.parameters.tip + extra
        return self.deployment([group], [deposit], wait)[0]

    def bid_at(self, number: int, terms: Terms, discount: int, hint: int) -> str | None:
        """Bid for a provider by its operator, below the maximum prices."""
        prices = [unit.price - discount for unit in terms.group.resources]
        caller = self.model.providers[number].operator

        def expected() -> None:
            self.model.submit_fulfillment(caller, number, terms, prices)

        named = self.ids.deployment(terms.deployment), self.ids.nonce(terms.nonce), terms.wait_duration
        return self.both("submit_fulfillment", caller, expected, number, *named, words_of(terms.group), prices, hint)

    def match_now(self, terms: Terms) -> Lease:
        self.submit_lease(FACILITATOR, [terms])
        return self.lease_of(terms)

    def confirm_now(self, terms: Terms) -> None:
        number = self.lease_of(terms).provider
        self.submit_lease_confirmation(self.model.providers[number].operator, number, [terms])

    def lease_of(self, terms: Terms) -> Lease:
        lease = self.model.orders[terms].lease
        assert lease
        return lease


@contextmanager
def walk(setting: Setting) -> Iterator[Walk]:
    """Open a market; at the end everybody takes what is theirs, and nothing stays."""
    walk = Walk(setting)
    try:
        yield walk
    except BaseException:
        walk.is_sound = False
        raise
    finally:
        walk.teardown()

"""Drives the contract and the model of the exchange side by side: everybody acts, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import ClassVar

import boa  # type: ignore[import-untyped]
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.stateful.evm import Setting
from tests.stateful.lease_steps import LeaseSteps
from tests.stateful.market_steps import MarketSteps
from tests.stateful.model import (
    DeploymentState,
    State,
)
from tests.stateful.settings import (
    FACILITATOR,
    FREE_CRANKS,
    FULL_BOOKS,
    INTEREST,
    ONE_BID,
    SIX_DECIMALS,
    TENANTS,
)

MOST_ORDERS = 12  # in a run: what is compared grows with them
LAST_BLOCK = 2**38  # a chain does not get as high as where the heights of a market end
TICKETS = st.integers(0, 2**32 - 1)


class ExchangeMachine(MarketSteps, LeaseSteps):
    """Everybody who acts on an exchange, in any order, rightly and wrongly."""

    markets: ClassVar[tuple[Setting, ...]] = (INTEREST, FREE_CRANKS, SIX_DECIMALS, ONE_BID)

    # -------------------------------------------------------------- a run

    @initialize(ticket=TICKETS)
    def open_market(self, ticket: int) -> None:
        self.opening_ticket = ticket
        self.tickets: Counter[int] = Counter()
        self.choose_by(ticket)
        self.begin(self.pick(self.markets))
        steps = ["close_deployment", "confirm", "confirm_all_in_time", "stale", "exhaust", "fund", "match"]
        self.missing = self.pick([*steps, *len(steps) * [""]])  # what nobody does in this run
        self.is_hasty = True
        for _ in range(1 + self.draw(3)):
            self.new_deployment(TENANTS[self.draw(2)], is_right=True)
        for terms in list(self.model.orders):
            for number in self.numbers:
                if self.draw(3):
                    self.bid(number, terms, is_right=True)
        if self.draw(3):
            self.set_block(max(order.match_block for order in self.model.orders.values()))
            self.submit_lease(FACILITATOR, list(self.model.orders))
        self.is_hasty = False
        self.compare([])

    def teardown(self) -> None:
        if self.snapshot is None:
            return
        try:
            if self.is_sound:
                if self.one_in(4):
                    self.compare_everything()
                self.evacuate()
        finally:
            boa.env.evm.revert(self.snapshot)

    # -------------------------------------------------------------- what happens most

    @rule(ticket=TICKETS)
    def act(self, ticket: int) -> None:
        """Take any step that may do something, the ones that keep a market going more often than those that end it."""
        self.choose_by(ticket)
        orders, leases = self.model.orders, self.leases_in(State.ACTIVE)
        steps: list[tuple[int, object, Callable[[], None]]] = [
            (5, True, self.pass_blocks),
            (1, True, self.money_in),
            (1, True, self.money_out),
            (1, True, self.change_provider),
            (3, len(orders) < MOST_ORDERS, self.submit_deployment),
            (3, orders and len(orders) < MOST_ORDERS, self.update_deployment),
            (2, len(self.deployments_in(DeploymentState.ACTIVE)) > 1, self.close_deployment),
            (1, self.deployments_in(DeploymentState.CLOSING), self.deployment_closed),
            (1, self.model.deployments, self.set_manager),
            (6, any(order.state == State.OPEN for order in orders.values()), self.submit_fulfillment),
            (2, any(order.book for order in orders.values()), self.cancel_fulfillment),
            (1, any(order.fulfillments for order in orders.values()), self.release_fulfillments),
            (3, any(order.book for order in orders.values()), self.match),
            (3, leases, self.confirm),
            (3, leases, self.confirm_all_in_time),
            (2, any(lease.earned for _, _, lease in self.leases_in(State.ACTIVE, State.CLOSING)), self.claim),
            (4, leases, self.fund),
            (2, leases, self.exhaust),
            (2, leases, self.stale),
            (5, self.leases_in(State.CLOSING), self.confirm_closed),
            (3, self.has_an_end(), self.finish),
        ]
        ready = [(weight, step) for weight, is_ready, step in steps if is_ready and step.__name__ != self.missing]
        (chosen,) = self.random.choices([step for _, step in ready], [weight for weight, _ in ready])
        chosen()

    # -------------------------------------------------------------- blocks

    def pass_blocks(self) -> None:
        """Go on by a few blocks, by many, or to just before, at or just after one that matters."""
        before = self.model.block
        how = self.draw(10)
        if how < 2:
            target = before + 1 + self.draw(max(1, self.model.parameters.period - 1))
        elif how == 2 and self.one_in(2):
            target = before + self.pick([self.model.parameters.period, 10 * self.model.parameters.period, 1_000])
        else:
            heights = sorted({height for height in self.interesting_heights() if before <= height < LAST_BLOCK})
            target = self.pick(heights or [before + 1]) - 1 + self.draw(3)
        self.set_block(max(target, before + 1))
        self.compare([], [("lease", terms) for terms, _, _ in self.leases_in(State.ACTIVE)])

    def interesting_heights(self) -> Iterable[int]:
        period, grace = self.model.parameters.period, self.model.parameters.grace
        for terms, order in self.model.orders.items():
            if order.state == State.OPEN:
                yield from (order.created_block + terms.wait_duration // 2, order.match_block)
        for _, _, lease in self.leases_in(State.ACTIVE):
            yield from (lease.confirmed + period, lease.funded, lease.funded + grace)
        for _, _, lease in self.leases_in(State.CLOSING):
            yield lease.confirmed + grace
        for deployment in self.model.deployments.values():
            yield from (manager.expires_block for manager in deployment.managers.values())

    # -------------------------------------------------------------- the end

    def evacuate(self) -> None:
        """Let everybody end everything and take what is theirs: nothing may stay but what came without a deposit."""
        model = self.model
        self.is_hasty = True
        for name, deployment in model.deployments.items():
            live = [t for t in self.orders_of(name) if model.orders[t].state in (State.OPEN, State.ACTIVE)]
            if deployment.state == DeploymentState.ACTIVE or live:
                self.close(name.tenant, name, live)
        closing = [terms for terms, _, _ in self.leases_in(State.CLOSING)]
        if closing:
            self.set_block(model.block + model.parameters.grace + 1)
            self.finish_leases(FACILITATOR, closing)
        for terms, order in model.orders.items():
            if order.fulfillments:
                self.release(FACILITATOR, terms, list(order.fulfillments))
        stale = [terms for terms, _, lease in self.leases_in(State.STALE) if lease.earned]
        if stale:
            self.both("claim", FACILITATOR, lambda: model.claim(FACILITATOR, stale), self.order_ids(stale))
        names = self.deployments_in(DeploymentState.CLOSING)
        if names:
            self.all_closed(FACILITATOR, names)
        assert not any(model.locked(number) for number in self.numbers)
        scale = model.parameters.scale
        for account, balance in list(model.accounts.items()):
            if balance.available >= scale:
                owner = model.providers[account].owner if isinstance(account, int) else account
                self.withdraw(owner, account, balance.available // scale)
        self.compare([])
        dust = sum(balance.available for balance in model.accounts.values())
        assert self.market.tokens(self.market.exchange) * scale == self.sent_tokens * scale + dust
        assert scale > 1 or dust == 0


class FullBooks(ExchangeMachine):
    """As many bids as a book can hold and more, with any hints: the list stays sorted."""

    markets = (FULL_BOOKS,)

    @rule(ticket=TICKETS)
    def act(self, ticket: int) -> None:
        self.choose_by(ticket)
        what = self.draw(25)
        if what == 0:
            self.pass_blocks()
        elif what == 1:
            self.match()
        elif what < 5:
            self.cancel_fulfillment()
        else:
            self.bid_on_the_first()

    def bid_on_the_first(self) -> None:
        """Bid for somebody who has not, on the oldest order that is open: one book gets full before the next."""
        for terms, order in self.model.orders.items():
            if order.state == State.OPEN:
                number = self.pick([number for number in self.numbers if number not in order.fulfillments])
                self.bid(number, terms, is_right=not self.one_in(10))
                return

    def price(self, maximum: int) -> int:
        return self.draw(min(maximum, 50) + 1)

"""What is done with bids, leases and providers, rightly and wrongly."""

from __future__ import annotations

from tests.stateful.evm import words_of
from tests.stateful.model import (
    State,
    Terms,
)
from tests.stateful.settings import (
    FACILITATOR,
    MANAGERS,
    OPERATORS,
    OWNERS,
    PEOPLE,
    STRANGER,
    TENANTS,
)
from tests.stateful.side_by_side import SideBySide


class LeaseSteps(SideBySide):
    """Fulfillments, leases, and what owners do in the registry."""

    # -------------------------------------------------------------- fulfillments

    def submit_fulfillment(self) -> None:
        self.bid(self.pick(self.numbers), self.some_order(State.OPEN))

    def bid(self, number: int, terms: Terms, *, is_right: bool = False) -> None:
        caller = self.model.providers[number].operator if is_right else self.operator_of(number)
        prices = [self.price(unit.price) for unit in terms.group.resources]
        if not is_right and self.one_in(12):
            group = terms.group
            terms = terms._replace(group=self.bad_group(group)) if self.draw(2) else terms
            prices = self.pick([[unit.price + 1 for unit in group.resources], [*prices, 1], prices[1:], prices])
        if not is_right and self.one_in(30):
            terms = terms._replace(wait_duration=2**32)
        hint = self.hint(terms, prices)

        def expected() -> None:
            self.model.submit_fulfillment(caller, number, terms, prices)

        named = self.ids.deployment(terms.deployment), self.ids.nonce(terms.nonce), terms.wait_duration
        what = number, *named, words_of(terms.group), prices, hint
        self.both("submit_fulfillment", caller, expected, *what)

    def price(self, maximum: int) -> int:
        return self.pick([maximum, max(0, maximum - 1), maximum // 2, maximum, 0])

    def hint(self, terms: Terms, prices: list[int]) -> int:
        """Return the right hint or any other."""
        order = self.model.orders.get(terms)
        if order is None or self.draw(2) or len(prices) != len(terms.group.resources):
            nonsense = [2**32 + self.pick(self.numbers), 2**256 - 1, self.pick(self.numbers) << 176]
            return self.draw(len(self.numbers) + 2) if self.draw(4) else self.pick(nonsense)
        charge = self.model.charge(terms.group, prices)
        before = [number for number in order.book if order.fulfillments[number].charge <= charge]
        return before[-1] if before else 0

    def operator_of(self, number: int) -> str:
        return self.caller(self.model.providers[number].operator)

    def cancel_fulfillment(self) -> None:
        with_bids = [terms for terms, order in self.model.orders.items() if order.book]
        terms = self.pick(with_bids) if with_bids and not self.one_in(8) else self.some_order(State.OPEN)
        order = self.model.orders.get(terms)
        number = self.pick(order.book if order and order.book and not self.one_in(6) else self.numbers)
        caller = self.operator_of(number)

        def expected() -> None:
            self.model.cancel_fulfillment(caller, number, terms)

        self.both("cancel_fulfillment", caller, expected, number, self.ids.key(terms))

    def release_fulfillments(self) -> None:
        held = [t for t, order in self.model.orders.items() if order.fulfillments and order.state != State.OPEN]
        terms = self.pick(held) if held and not self.one_in(4) else self.some_order(*State)
        numbers = self.pick([[*self.numbers], [self.pick(self.numbers)], 2 * [*self.numbers, 0, 99], []])
        self.release(self.pick(PEOPLE), terms, numbers[:32])

    def release(self, caller: str, terms: Terms, numbers: list[int]) -> None:
        def expected() -> None:
            self.model.release_fulfillments(caller, terms, numbers)

        self.both("release_fulfillments", caller, expected, self.ids.order(terms), numbers)

    # -------------------------------------------------------------- leases

    def match(self) -> None:
        fitting = [terms for terms, order in self.model.orders.items() if order.state == State.OPEN and order.book]
        if fitting and self.draw(2):
            self.set_block(max(self.model.block, min(self.model.orders[terms].match_block for terms in fitting)))
        self.submit_lease(self.pick(PEOPLE), self.batch(fitting))

    def submit_lease(self, caller: str, orders: list[Terms]) -> None:
        self.both("submit_lease", caller, lambda: self.model.submit_lease(caller, orders), self.keys(orders))

    def confirm(self) -> None:
        number = self.some_provider(State.ACTIVE)
        mine = [terms for terms, order, lease in self.leases_in(State.ACTIVE) if lease.provider == number]
        awake = [terms for terms in mine if not self.model._is_stale(self.model.orders[terms])]
        self.submit_lease_confirmation(self.operator_of(number), number, self.batch(awake or mine))

    def confirm_all_in_time(self) -> None:
        """Go to where nearly all may still be confirmed, and do so."""
        awake = [lease for _, order, lease in self.leases_in(State.ACTIVE) if not self.model._is_stale(order)]
        period = self.model.parameters.period
        if awake:
            self.set_block(max(self.model.block, min(lease.confirmed for lease in awake) + period - self.draw(3)))
        for number in self.numbers:
            mine = [terms for terms, _, lease in self.leases_in(State.ACTIVE) if lease.provider == number]
            if any(not self.model._is_stale(self.model.orders[terms]) for terms in mine):
                self.submit_lease_confirmation(self.model.providers[number].operator, number, mine)

    def submit_lease_confirmation(self, caller: str, number: int, leases: list[Terms]) -> None:
        def expected() -> None:
            self.model.submit_lease_confirmation(caller, number, leases)

        self.both("submit_lease_confirmation", caller, expected, number, self.order_ids(leases))

    def claim(self) -> None:
        caller = self.pick(PEOPLE)
        found = self.leases_in(State.ACTIVE, State.CLOSING, State.STALE)
        leases = self.batch([terms for terms, _, lease in found if lease.earned])
        self.both("claim", caller, lambda: self.model.claim(caller, leases), self.order_ids(leases))

    def fund(self) -> None:
        terms = self.some_order(State.ACTIVE, State.ACTIVE, State.OPEN)
        tenant = terms.deployment.tenant
        caller = self.caller(self.pick([tenant, tenant, *MANAGERS, STRANGER, TENANTS[0]]))
        order, period = self.model.orders.get(terms), self.model.parameters.period
        charge = order.lease.charge if order and order.lease else self.model.max_charge(terms.group)
        affordable = self.model.balance(tenant).available // charge
        usual = [1, 2 * period, 2 * period - 1, 3 * period + 1, 2 * period]
        blocks = self.pick([*usual, *usual, affordable, affordable + 1, 0, 2**32, 2**32 - 1, 2**32 - 2 * period])
        self.fund_with(caller, terms, blocks)

    def fund_with(self, caller: str, terms: Terms, blocks: int) -> None:
        def expected() -> None:
            self.model.fund(caller, terms, blocks)

        self.both("fund", caller, expected, self.ids.key(terms), blocks)

    def exhaust(self) -> None:
        """Confirm a lease up to its end, if it is near, and revive, finish or leave what is exhausted then."""
        terms, order, lease = self.pick(self.leases_in(State.ACTIVE))
        operator = self.model.providers[lease.provider].operator
        period, grace = self.model.parameters.period, self.model.parameters.grace
        while not self.model._is_stale(order) and self.model.block < lease.funded - period and self.draw(8):
            self.set_block(max(self.model.block, min(lease.confirmed + period, lease.funded - self.draw(3))))
            self.submit_lease_confirmation(operator, lease.provider, [terms])
        if self.model._is_stale(order) or lease.is_awaiting or lease.funded > lease.confirmed + period:
            return
        self.set_block(max(self.model.block, lease.funded - 1 + self.draw(3)))
        if self.draw(2):
            self.submit_lease_confirmation(operator, lease.provider, [terms])
        deadline = lease.confirmed + period
        later = self.draw(4)
        if later == 0:
            self.set_block(max(self.model.block, self.pick([lease.funded + grace, deadline]) + self.draw(2)))
            self.compare([], [("lease", terms)])
            self.finish_leases(FACILITATOR, [terms])
        elif later < 3:
            self.set_block(max(self.model.block, self.pick([lease.funded, deadline, deadline, deadline + 1])))
            self.fund_with(terms.deployment.tenant, terms, 2 * period - self.one_in(3))

    def stale(self) -> None:
        """Call leases stale, or have the owner of a provider resign one; sometimes without reason or right."""
        fitting = [terms for terms, order, _ in self.leases_in(State.ACTIVE) if self.model._is_stale(order)]
        if fitting and self.draw(4):
            self.submit_stale_lease(self.pick([FACILITATOR, *PEOPLE, *OWNERS]), self.batch(fitting))
            return
        terms, _, lease = self.pick(self.leases_in(State.ACTIVE))
        running = [terms for terms, _, _ in self.leases_in(State.ACTIVE)]
        leases = self.pick([running, [terms, terms], [terms]])
        right = self.model.providers[lease.provider].owner
        caller = self.pick([right, right, FACILITATOR, self.model.providers[lease.provider].operator])
        self.submit_stale_lease(caller, leases)

    def submit_stale_lease(self, caller: str, leases: list[Terms]) -> None:
        self.both(
            "submit_stale_lease", caller, lambda: self.model.submit_stale_lease(caller, leases), self.keys(leases)
        )

    def confirm_closed(self) -> None:
        number = self.some_provider(State.CLOSING)
        caller = self.operator_of(number)
        leases = self.batch([terms for terms, _, lease in self.leases_in(State.CLOSING) if lease.provider == number])

        def expected() -> None:
            self.model.confirm_closed(caller, number, leases)

        self.both("confirm_closed", caller, expected, number, self.keys(leases))

    def has_an_end(self) -> bool:
        active = self.leases_in(State.ACTIVE)
        return bool(self.leases_in(State.CLOSING)) or any(self.model._is_exhausted(order) for _, order, _ in active)

    def finish(self) -> None:
        grace = self.model.parameters.grace
        closing = [lease.confirmed for _, _, lease in self.leases_in(State.CLOSING)]
        if closing and self.draw(2):
            self.set_block(max(self.model.block, min(closing) + grace + self.draw(2)))
        found = self.leases_in(State.ACTIVE, State.CLOSING)
        due = [terms for terms, order, _ in found if self.model._is_finishable(order)]
        leases = self.batch(due or [terms for terms, _, _ in found])
        self.finish_leases(self.pick(PEOPLE), leases)

    def finish_leases(self, caller: str, leases: list[Terms]) -> None:
        self.both("finish_leases", caller, lambda: self.model.finish_leases(caller, leases), self.keys(leases))

    # -------------------------------------------------------------- the registry

    def change_provider(self) -> None:
        """Do what an owner may do in the registry; it is the exchange that has to notice."""
        number = self.pick(self.numbers)
        provider = self.model.providers[number]
        if self.one_in(6):
            self.change_without_right(number)
            return
        what = self.draw(6)
        if what == 0:
            provider.operator = self.pick([*OPERATORS, *OWNERS])
            self.registry("set_operator", provider.owner, number, provider.operator)
        elif what == 1:
            committed = self.model.balance(number).committed
            provider.cap = self.pick([2**90 - 1, committed, committed + 10**14, 0])
            self.registry("set_collateral_cap", provider.owner, number, provider.cap)
        elif what == 2:
            new_owner = self.pick(OWNERS)
            self.registry("transfer_ownership", provider.owner, number, new_owner)
            self.registry("accept_ownership", new_owner, number)
            provider.owner = new_owner
        elif what == 3 and provider.region:
            self.registry("deregister_provider", provider.owner, number)
            provider.region = 0
        else:
            provider.region = self.pick([1, 1, 2])
            self.registry("update_provider", provider.owner, number, provider.region, "https://b", "")

    def change_without_right(self, number: int) -> None:
        changes: list[tuple[str, tuple[object, ...]]] = [
            ("set_operator", (STRANGER,)),
            ("set_collateral_cap", (0,)),
            ("transfer_ownership", (STRANGER,)),
            ("deregister_provider", ()),
            ("update_provider", (1, "https://c", "")),
        ]
        name, arguments = self.pick(changes)
        caller = self.pick([STRANGER, self.model.providers[number].operator, *TENANTS])
        if caller != self.model.providers[number].owner:
            answer = self.market.send(self.market.registry, name, caller, number, *arguments)
            assert answer == "registry: not the owner"

    def registry(self, name: str, caller: str, *arguments: object) -> None:
        assert self.market.send(self.market.registry, name, caller, *arguments) is None

"""Drives the contract and the model of the exchange side by side, and compares all that can be seen after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any, ClassVar, TypeVar

import boa  # type: ignore[import-untyped]
from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.stateful.evm import FIRST_BLOCK, ZERO_ADDRESS, Ids, Market, Setting, address, permit, signer, word, words_of
from tests.stateful.model import (
    NOBODY,
    Account,
    DeploymentName,
    DeploymentState,
    Group,
    Lease,
    Order,
    Refused,
    Resource,
    State,
    Terms,
)
from tests.stateful.observer import VIEWS, Observer
from tests.stateful.settings import (
    FACILITATOR,
    FREE_CRANKS,
    FULL_BOOKS,
    INTEREST,
    MANAGERS,
    ONE_BID,
    OPERATORS,
    OWNERS,
    PEOPLE,
    ROLES,
    SIX_DECIMALS,
    STRANGER,
    TENANTS,
    WHALE,
)

MOST_ORDERS = 12  # in a run: what is compared grows with them
UNKNOWN_DEPLOYMENT = DeploymentName(STRANGER, 99)
LAST_BLOCK = 2**38  # a chain does not get as high as where the heights of a market end
TICKETS = st.integers(0, 2**32 - 1)
T = TypeVar("T")
Entity = tuple[Any, ...]


@cache
def market(setting: Setting) -> Market:
    """Return the market of a setting; each is deployed once for all runs."""
    boa.env.enable_fast_mode()
    return Market(setting)


class ExchangeMachine(RuleBasedStateMachine):
    """Everybody who acts on an exchange, in any order, rightly and wrongly."""

    markets: ClassVar[tuple[Setting, ...]] = (INTEREST, FREE_CRANKS, SIX_DECIMALS, ONE_BID)
    seed: ClassVar[int] = 0  # of a few runs: Hypothesis likes to repeat its draws, and does so from its first on

    def __init__(self) -> None:
        super().__init__()
        self.is_sound = False  # model and contract agree so far, and nothing is under way
        self.is_hasty = False  # views are compared later: at the beginning and at the end of a run
        self.snapshot: Any = None

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

    def begin(self, setting: Setting) -> None:
        """Take the market of a setting as it was when it was opened."""
        self.market = market(setting)
        self.numbers = range(1, len(setting.providers) + 1)
        self.snapshot = boa.env.evm.snapshot()
        boa.env.sha3_trace.clear()  # it would grow with each run
        self.model = setting.model()
        self.observer = Observer(self.market)
        self.ids = Ids(self.market.exchange, self.model)
        self.deployment_count = 0
        self.sent_tokens = 0  # base units that came without a deposit
        self.names: dict[bytes, Entity] = {}
        for account in [*PEOPLE, *self.numbers]:
            self.names[bytes.fromhex(address(account)[2:]).rjust(32, b"\0")] = ("account", account)
        self.set_block(FIRST_BLOCK)
        self.seen = dict(self.expected())
        self.is_sound = True

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

    def set_block(self, block: int) -> None:
        if block != self.model.block:
            self.tell(f"block {block}")
        self.model.block = block
        self.market.at(block)

    @staticmethod
    def tell(what: str) -> None:
        if currently_in_test_context():
            note(what)

    # -------------------------------------------------------------- choices

    def choose_by(self, ticket: int) -> None:
        """Make the choices of a step from one number.

        What Hypothesis draws is often the same or small, so that a step would be the same one again and again. Each use
        of a ticket gives other choices, and what one step chooses does not depend on which others come before it, so
        that steps can be left out when a failure is made smaller.
        """
        self.tickets[ticket] += 1
        self.random = Random(f"{self.seed} {self.opening_ticket} {ticket} {self.tickets[ticket]}")

    def draw(self, bound: int) -> int:
        """Choose a number below the bound."""
        return self.random.randrange(bound)

    def one_in(self, bound: int) -> bool:
        return self.draw(bound) == bound - 1

    def pick(self, items: Iterable[T]) -> T:
        choices = list(items)
        return choices[self.draw(len(choices))]

    def caller(self, right: str) -> str:
        return self.pick(PEOPLE) if self.one_in(10) else right

    def some_order(self, *states: State) -> Terms:
        """Choose an order in one of the states that is not stale, now and then any or an unknown one."""
        found = self.model.orders.items()
        fitting = [terms for terms, order in found if order.state in states and not self.model._is_stale(order)]
        chosen = self.pick(fitting if fitting and not self.one_in(8) else self.model.orders)
        return self.unknown(chosen) if self.one_in(20) else chosen

    def unknown(self, terms: Terms) -> Terms:
        """Return terms that no order has, and have a key sent for them that is an order's but for one bit."""
        words = [int.from_bytes(part, "big") if isinstance(part, bytes) else part for part in self.ids.key(terms)]
        changed = self.draw(4)
        words[changed] ^= 1 << self.draw(256)
        stranger = terms._replace(nonce=77 + self.draw(2**32))
        if changed == 0:
            stranger = stranger._replace(deployment=UNKNOWN_DEPLOYMENT)
        self.ids.disguise(stranger, (word(words[0]), word(words[1]), words[2], word(words[3])))
        return stranger

    def some_provider(self, state: State) -> int:
        """Choose a provider with a lease in this state, now and then any."""
        return self.pick([lease.provider for _, _, lease in self.leases_in(state)] + [self.pick(self.numbers)])

    def batch(self, fitting: list[Terms]) -> list[Terms]:
        """Choose what a batch names: what fits, one of it, one twice, others besides, all, an unknown one, nothing."""
        everything = list(self.model.orders)
        how = self.draw(10) if fitting else 7 + self.draw(3)
        if how < 3:
            return fitting
        if how < 6:
            return [self.pick(fitting)]
        if how == 6:
            return 2 * [self.pick(fitting)]
        if how == 7:
            return everything[::-1]
        if how == 8:
            return [self.unknown(self.pick(everything)), self.pick(everything)]
        return [self.pick(everything)] if everything and self.draw(4) else []

    def leases_in(self, *states: State) -> list[tuple[Terms, Order, Lease]]:
        found = self.model.orders.items()
        return [(terms, order, order.lease) for terms, order in found if order.lease and order.state in states]

    # -------------------------------------------------------------- a transaction on both sides

    def both(self, name: str, caller: str, expected: Callable[[], None], *arguments: object) -> str | None:
        """Send a transaction to model and contract, hold what they say against each other, then what they have become.

        Returns what it was refused with, if it was.
        """
        self.is_sound = False
        refusal = None
        try:
            expected()
        except Refused as refused:
            refusal = refused.text
        self.tell(f"{name} by {ROLES.get(caller, caller)}: {refusal or 'accepted'}")
        answer = self.market.send(self.market.exchange, name, caller, *arguments)
        assert answer == refusal, f"{name}: the contract says {answer!r}, the model {refusal!r}"
        self.observer.see(self.model.block, self.market.logs, arguments)
        self.is_sound = self.is_hasty
        if not self.is_hasty:
            self.compare(self.market.written() if refusal is None else [])
        return refusal

    def keys(self, orders: Sequence[Terms]) -> list[tuple[bytes, bytes, int, bytes]]:
        return [self.ids.key(terms) for terms in orders]

    def order_ids(self, orders: Sequence[Terms]) -> list[bytes]:
        return [self.ids.order(terms) for terms in orders]

    # -------------------------------------------------------------- what is compared

    def expected(self) -> Iterable[tuple[Entity, object]]:
        """Return all that the views should say, by view and entity."""
        model = self.model
        for account in [*PEOPLE, *self.numbers]:
            yield ("account", account), model.account_view(account)
        for name, deployment in model.deployments.items():
            yield ("deployment", name), model.deployment_view(name)
            for manager in deployment.managers:
                yield ("manager", name, manager), model.manager_view(name, manager)
        for terms, order in model.orders.items():
            yield ("order", terms), model.order_view(terms)
            yield ("bids", terms), model.bids_view(terms)
            yield ("lease", terms), model.lease_view(terms)
            for number in order.fulfillments:
                yield ("fulfillment", terms, number), model.fulfillment_view(terms, number)

    def compare(self, written: Iterable[tuple[bytes, ...]], also: Iterable[Entity] = ()) -> None:
        """Compare the views of all that model or contract have changed, the tokens, and the invariants."""
        self.is_sound = False
        self.learn_names()
        expected = dict(self.expected())
        changed = {entity for entity, value in expected.items() if self.seen.get(entity) != value}
        changed.update(self.seen.keys() - expected.keys())
        changed.update(also)
        for keys in written:
            changed.update(self.entities_of(keys))
        for entity in changed:
            self.compare_view(entity)
        self.seen = expected
        for holder in self.market.token_holders_written():
            actual = self.market.tokens(holder)
            is_exchange = holder == self.market.exchange.lower()
            assert actual == (self.model.holdings if is_exchange else self.model.wallets.get(holder, 0))
        self.compare_invariants()
        self.is_sound = True

    def learn_names(self) -> None:
        for name in self.model.deployments:
            self.names.setdefault(self.ids.deployment(name), ("deployment", name))
        if len(self.model.orders) + len(self.model.deployments) + len(PEOPLE) + len(self.numbers) > len(self.names):
            for terms in self.model.orders:
                self.names.setdefault(self.ids.order(terms), ("order", terms))

    def entities_of(self, keys: tuple[bytes, ...]) -> list[Entity]:
        """Return the views that show a word of the contract's storage."""
        assert keys and keys[0] in self.names, "the contract has written about something that the model does not have"
        kind, named = self.names[keys[0]]
        if kind == "order" and len(keys) == 1:
            is_open = self.model.order_view(named)[0] == State.OPEN
            return [(view, named) for view in (("order", "bids") if is_open else ("order", "lease"))]
        if kind == "order":
            return [("fulfillment", named, int.from_bytes(keys[1], "big")), ("bids", named)]
        if len(keys) == 2:
            return [("manager", named, "0x" + keys[1][-20:].hex())]
        return [(kind, named)]

    def compare_view(self, entity: Entity) -> None:
        view, named, *rest = entity
        if view == "account":
            asked = (address(named),)
        elif view in ("deployment", "manager"):
            asked = (self.ids.deployment(named), *rest)
        else:
            asked = (self.ids.order(named), *rest)
        actual = self.market.view(view, *asked)
        model: Any = getattr(self.model, f"{view}_view")(named, *rest)
        if view == "deployment" and model[0] == NOBODY:
            model = (ZERO_ADDRESS, *model[1:])
        assert actual == model, f"{view}: the contract shows {actual}, the model {model}"
        if view in VIEWS:
            told = self.observer.answer(self.model.block, view, *asked)
            assert actual == told, f"{view}: the contract shows {actual}, its events tell {told}"

    def compare_everything(self) -> None:
        for entity, _ in self.expected():
            self.compare_view(entity)

    def compare_invariants(self) -> None:
        """Check what section 10 of the protocol says of the model, with which the contract agrees."""
        model = self.model
        scale = model.parameters.scale
        assert model.money() == (model.holdings - self.sent_tokens) * scale < 2**96
        for number in self.numbers:
            assert model.balance(number).committed >= model.locked(number)
        assert all(min(balance.available, balance.committed) >= 0 for balance in model.accounts.values())
        for _, _, lease in self.leases_in(State.ACTIVE, State.CLOSING):
            assert lease.claimed <= lease.confirmed <= lease.funded
        for order in model.orders.values():
            charges = [order.fulfillments[number].charge for number in order.book if order.state == State.OPEN]
            assert charges == sorted(charges)
            assert len(charges) <= model.parameters.max_fulfillments
        for name, deployment in model.deployments.items():
            live = (State.OPEN, State.ACTIVE, State.CLOSING)
            mine = [terms for terms, order in model.orders.items() if terms.deployment == name and order.state in live]
            assert deployment.live_groups == len(mine) <= 8

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

    # -------------------------------------------------------------- money

    def money_in(self) -> None:
        payer = self.pick([TENANTS[0], OWNERS[0], TENANTS[1], OWNERS[1], STRANGER, WHALE])
        account: Account = self.pick([payer, payer, *self.numbers, FACILITATOR, NOBODY, 99])
        has = self.model.wallets.get(payer, 0)
        room = (2**96 - 1) // self.model.parameters.scale - self.model.holdings
        amount = self.pick([1, has, has // 3, has + 1, min(has, room), room + 1, 0, 2**96, 2**96 - 1])
        if self.one_in(6) and payer != WHALE and amount <= has:
            self.send_tokens(payer, min(amount, 10))
        else:
            self.deposit(payer, account, amount)

    def deposit(self, caller: str, account: Account, amount: int) -> None:
        def expected() -> None:
            self.model.deposit(caller, account, amount)

        if self.one_in(3):
            self.deposit_with_permit(caller, account, amount, self.draw(6))
        else:
            self.both("deposit", caller, expected, address(account), amount)

    def deposit_with_permit(self, caller: str, account: Account, amount: int, fault: int = 0) -> None:
        """Deposit with nothing allowed but by a permit, which is good, has one of four faults, or was used before."""
        self.allow(caller, 0)
        deadline = boa.env.evm.patch.timestamp - (fault == 1)
        signed = amount + (fault == 2), deadline + (fault == 3)
        role = "attacker" if fault == 4 else ROLES[caller]
        signature = permit(self.market, signer(role), caller, *signed)
        if fault == 5:
            arguments = caller, self.market.exchange, *signed, *signature
            assert self.market.send(self.market.token, "permit", STRANGER, *arguments) is None
        allowance = amount if fault in (0, 5) else 0

        def expected() -> None:
            self.model.deposit(caller, account, amount, allowance)

        self.both("deposit_with_permit", caller, expected, address(account), amount, deadline, *signature)
        self.allow(caller, 2**255)

    def allow(self, owner: str, amount: int) -> None:
        assert self.market.send(self.market.token, "approve", owner, self.market.exchange, amount) is None

    def send_tokens(self, caller: str, amount: int) -> None:
        self.model.send_tokens(caller, amount)
        self.sent_tokens += amount
        assert self.market.send(self.market.token, "transfer", caller, self.market.exchange, amount) is None
        self.compare([])

    def money_out(self) -> None:
        account: Account = self.pick([*TENANTS, *self.numbers, FACILITATOR, WHALE])
        right = self.model.providers[account].owner if isinstance(account, int) else account
        if isinstance(account, int) and self.one_in(4):
            right = self.model.providers[account].operator
        has = self.model.balance(account).available // self.model.parameters.scale
        amount = self.pick([has, has // 2, 1, has + 1, has, 0, 2**96])
        self.withdraw(self.caller(right), account, amount, is_to_other=self.one_in(3))

    def withdraw(self, caller: str, account: Account, amount: int, *, is_to_other: bool = False) -> None:
        if not is_to_other:
            self.both(
                "withdraw", caller, lambda: self.model.withdraw(caller, account, amount), address(account), amount
            )
            return
        recipient = self.pick([STRANGER, ZERO_ADDRESS, self.market.exchange])
        receiver = STRANGER if recipient == STRANGER else NOBODY

        def expected() -> None:
            self.model.withdraw(caller, account, amount, receiver)

        self.both("withdraw_to", caller, expected, address(account), amount, recipient)

    # -------------------------------------------------------------- deployments

    def submit_deployment(self) -> None:
        self.new_deployment(self.caller(self.pick(TENANTS)))

    def new_deployment(self, caller: str, *, is_right: bool = False) -> None:
        self.deployment_count += 1
        salt, version, wait = self.deployment_count, 1, self.pick([20, 6, 40, 0, 3])
        groups = [self.group(is_right=is_right) for _ in range(1 + self.draw(2))]
        deposits = [self.deposit_of(group, is_right=is_right) for group in groups]
        if not is_right and self.one_in(8):
            fault = self.draw(6)
            salt = 1 if fault == 0 else salt
            version = 0 if fault == 1 else version
            groups = [] if fault == 2 else groups
            deposits = deposits[1:] if fault == 3 else deposits
            wait = self.pick([2**32, 2**32 - 1]) if fault > 3 else wait

        def expected() -> None:
            self.model.submit_deployment(caller, salt, version, wait, groups, deposits)

        what = word(salt), word(version), wait, [words_of(group) for group in groups], deposits
        self.both("submit_deployment", caller, expected, *what)

    def group(self, *, is_right: bool = False) -> Group:
        tip = self.model.parameters.tip
        unit = Resource(
            milli_cpu=1,
            memory_bytes=1,
            disk_bytes=0,
            price=self.pick([10**9, 10**9 + 7, 10**13, 1]),
            collateral=self.pick([10**13 + tip, 2 * tip + 1, tip + 1, 2 * tip, 5 * 10**14]),
            count=1 + self.draw(3),
        )
        second = replace(unit, price=unit.price // 3, collateral=0, count=1)
        resources = (unit, second) if self.one_in(4) else (unit,)
        group = Group(b"group".ljust(32, b"\0"), self.pick([3, 3, 1, 2**32 - 1]), self.draw(2) == 0, resources)
        return group if is_right or not self.one_in(10) else self.bad_group(group)

    def bad_group(self, group: Group) -> Group:
        """Break one rule, at its limit."""
        unit = group.resources[0]
        tip = self.model.parameters.tip
        units = [
            replace(unit, count=0),
            replace(unit, count=2**32),
            replace(unit, count=2**32 - 1),
            replace(unit, milli_cpu=0),
            replace(unit, memory_bytes=0),
            replace(unit, price=2**80),
            replace(unit, price=2**79, count=2),
            replace(unit, price=2**80 - 1, count=1),
            replace(unit, price=0),
            replace(unit, price=0, collateral=tip, count=1),
            replace(unit, collateral=2**96),
            replace(unit, collateral=2**95, count=2),
            replace(unit, collateral=max(0, tip - 1), count=1),
        ]
        groups = [replace(group, resources=()), replace(group, regions=0), replace(group, regions=2**32)]
        groups += [replace(group, resources=(unit,)) for unit in units]
        groups += [replace(group, resources=(unit, bad)) for bad in units[:6]]
        return self.pick(groups)

    def deposit_of(self, group: Group, *, is_right: bool = False) -> int:
        smallest, charge = self.model.minimum_deposit(group), self.model.max_charge(group)
        right = [smallest, smallest + 5 * charge + 1, smallest + charge // 2, smallest + 10**13]
        return self.pick(right if is_right or not self.one_in(10) else [max(0, smallest - 1), 2**96, 2**96 - 1])

    def update_deployment(self) -> None:
        name = self.some_deployment()
        mine = self.orders_of(name)
        version = self.draw(2)
        groups = [self.group() for _ in range(self.pick([0, 1, 2, 0, 1, 7]))]
        deposits = [self.deposit_of(group) for group in groups]
        deposits += [0] if self.one_in(20) else []
        removed = self.batch(mine)[:8] if self.one_in(4) else [terms for terms in mine if self.one_in(3)][:8]
        caller = self.caller(self.pick([name.tenant, name.tenant, *MANAGERS]))

        def expected() -> None:
            self.model.update_deployment(caller, name, version, groups, deposits, removed)

        encoded = [words_of(group) for group in groups]
        what = self.ids.deployment(name), word(version), encoded, deposits, self.keys(removed)
        self.both("update_deployment", caller, expected, *what)

    def some_deployment(self) -> DeploymentName:
        return UNKNOWN_DEPLOYMENT if self.one_in(20) else self.pick(self.model.deployments)

    def deployments_in(self, state: DeploymentState) -> list[DeploymentName]:
        return [name for name, deployment in self.model.deployments.items() if deployment.state == state]

    def orders_of(self, name: DeploymentName) -> list[Terms]:
        return [terms for terms in self.model.orders if terms.deployment == name]

    def close_deployment(self) -> None:
        name = self.some_deployment()
        mine = self.orders_of(name)
        orders = self.batch(mine)[:8] if self.one_in(3) else [terms for terms in mine if self.draw(2)][:8]
        self.close(self.caller(name.tenant), name, orders)

    def close(self, caller: str, name: DeploymentName, orders: list[Terms]) -> None:
        def expected() -> None:
            self.model.close_deployment(caller, name, orders)

        self.both("close_deployment", caller, expected, self.ids.deployment(name), self.keys(orders))

    def deployment_closed(self) -> None:
        closing = self.deployments_in(DeploymentState.CLOSING)
        names = self.pick([closing, 2 * closing, [*self.model.deployments, UNKNOWN_DEPLOYMENT], closing[:1]])
        self.all_closed(self.pick(PEOPLE), names)

    def all_closed(self, caller: str, names: list[DeploymentName]) -> None:
        ids = [self.ids.deployment(name) for name in names]
        self.both("deployment_closed", caller, lambda: self.model.deployment_closed(caller, names), ids)

    def set_manager(self) -> None:
        name = self.some_deployment()
        caller = self.caller(name.tenant)
        manager = self.pick([*MANAGERS, *MANAGERS, name.tenant, STRANGER])
        permissions = self.pick([7, 4, 2, 1, 6, 3, 0])
        expires = self.model.block + self.pick([50, 1_000, 3, 0])
        cap = self.pick([10**16, 10**14, 10**10, 1, 0])
        if self.one_in(15):
            expires, cap = self.pick([(2**40, cap), (2**40 - 1, cap), (expires, 2**96), (expires, 2**96 - 1)])

        def expected() -> None:
            self.model.set_manager(caller, name, manager, permissions, expires, cap)

        self.both("set_manager", caller, expected, self.ids.deployment(name), manager, permissions, expires, cap)

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
